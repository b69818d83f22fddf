-- the roles of a cell, and the functions that give every table its one partition and its policies
-- depends:

-- migrate: apply

-- kovra_api serves one tenant per transaction; kovra_writer serves batches over several; kovra_ledger owns only the
-- embedded ledger. None may bypass row-level security. Who creates the database creates the roles and gives them passwords.

revoke all on schema public from public;
grant usage on schema public to kovra_api, kovra_writer;

-- The tenant of this transaction, or null. Set with: select set_config('kovra.tenant', $1, true)
create function current_tenant() returns text
    language sql stable parallel safe
    return nullif(current_setting('kovra.tenant', true), '');

-- A time that whoever reads it can hold: residency/instants.py. Postgres itself goes on to the year 294276, and to infinity.
create domain instant as timestamptz
    check (value >= '0001-01-01 00:00:00+00' and value < '10000-01-01 00:00:00+00');

-- The one region this database holds. Written once, by attach_region.
create table cell_region (
    region text primary key,
    only_one boolean not null default true unique check (only_one)
);
grant select on cell_region to kovra_api, kovra_writer;

-- Row-level security for one partitioned table. Tenant tables: the API's role sees its tenant's rows only, the writer's all.
-- Other tables: the writer's only, unless a later grant and policy say otherwise.
create procedure kovra_protect(target regclass)
    language plpgsql as $$
declare
    has_tenant boolean := exists (
        select from pg_attribute where attrelid = target and attname = 'tenant_id' and not attisdropped
    );
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format('create policy writer on %s to kovra_writer using (true) with check (true)', target);
    if has_tenant then
        execute format(
            'create policy tenant on %s to kovra_api using (tenant_id = current_tenant()) with check (tenant_id = current_tenant())',
            target
        );
    end if;
end
$$;

-- Lock one partition: a policy on the parent does not guard a partition that is read directly, so it has no grant at all, and whoever
-- reads it nevertheless sees nothing. And what Postgres would learn when it first analyzes it: until then it would take
-- `compliance_region = …` for a condition that few rows meet, and read the whole partition to find a handful: each batch dearer than the last.
create procedure kovra_lock_partition(partition text, held_region text, born date default null)
    language plpgsql as $$
begin
    execute format('alter table %I enable row level security', partition);
    execute format('alter table %I force row level security', partition);
    execute format('revoke all on %I from public, kovra_api, kovra_writer', partition);
    perform pg_restore_attribute_stats(
        'schemaname', 'public', 'relname', partition, 'attname', 'compliance_region', 'inherited', false,
        'null_frac', 0::real, 'avg_width', length(held_region), 'n_distinct', 1::real,
        'most_common_vals', format('{%s}', held_region), 'most_common_freqs', '{1}'::real[]);
    if born is not null then
        perform pg_restore_attribute_stats(
            'schemaname', 'public', 'relname', partition, 'attname', 'born', 'inherited', false,
            'null_frac', 0::real, 'avg_width', 4, 'n_distinct', 1::real,
            'most_common_vals', format('{%s}', born), 'most_common_freqs', '{1}'::real[]);
    end if;
end
$$;

-- Make the partitions of last month to `ahead` months from now, where they are missing, of every table that is divided by months; how many
-- were made. A month whose rows are in the rest already (ids that say a time nobody expected) stays there. It waits for nobody long: what
-- reads the rest may hold it up, and then the next call makes them.
create function make_months(ahead integer) returns integer
    language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '5s' as $$
declare
    held text;
    parent text;
    month date;
    partition text;
    made integer := 0;
begin
    if ahead is null or ahead not between 0 and 24 then
        raise exception 'months are made up to 24 ahead, not %', ahead;
    end if;
    select r.region into held from cell_region r;
    for parent in
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_inherits i on i.inhrelid = c.oid
        where c.relkind = 'p' and n.nspname = 'public' order by c.relname
    loop
        for month in
            select (date_trunc('month', now() at time zone 'UTC') + make_interval(months => n))::date from generate_series(-1, ahead) n
        loop
            partition := parent || to_char(month, '_YYYY_MM');
            continue when to_regclass(format('public.%I', partition)) is not null;
            begin
                -- Made apart and then attached: the table itself is never locked against whoever writes.
                execute format('create table %I (like %I including defaults including constraints)', partition, parent);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, partition, month,
                    (month + interval '1 month')::date);
                call kovra_lock_partition(partition, held, month);
                made := made + 1;
            exception when check_violation then
                null;
            end;
        end loop;
    end loop;
    return made;
end
$$;

-- Give every partitioned table its partition for `region`, and no other. A table of streams, which has the month that each was born in
-- (`born`), is divided by it once more, with a rest for what is of no month that was made.
create procedure attach_region(region text)
    language plpgsql as $$
declare
    parent record;
    partition text;
    held text;
begin
    select r.region into held from cell_region r;
    if held is null then
        insert into cell_region (region) values (attach_region.region);
    elsif held <> attach_region.region then
        raise exception 'this database holds region %, and can hold no other', held;
    end if;
    for parent in
        select c.oid, c.relname, exists (
            select from pg_attribute a where a.attrelid = c.oid and a.attname = 'born' and not a.attisdropped
        ) as by_month
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'p' and n.nspname = 'public' and not c.relispartition
          and not exists (select from pg_inherits i where i.inhparent = c.oid)
    loop
        partition := parent.relname || '_' || lower(attach_region.region);
        execute format('create table %I partition of %I for values in (%L) %s', partition, parent.relname, attach_region.region,
            case when parent.by_month then 'partition by range (born)' end);
        call kovra_lock_partition(partition, attach_region.region);
        if parent.by_month then
            execute format('create table %I partition of %I default', partition || '_rest', partition);
            call kovra_lock_partition(partition || '_rest', attach_region.region);
        end if;
    end loop;
    perform make_months(3);
end
$$;

revoke all on procedure kovra_protect(regclass) from public;
revoke all on procedure kovra_lock_partition(text, text, date) from public;
revoke all on procedure attach_region(text) from public;
revoke all on function make_months(integer) from public;
-- Whoever keeps the record makes its months ahead (actors/workers/keeper.py); a partition is the owner's to make.
grant execute on function make_months(integer) to kovra_writer;

-- migrate: rollback
