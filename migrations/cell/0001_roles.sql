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

-- Give every partitioned table its partition for `region`, and no other. A policy on the parent does not guard a
-- partition that is read directly, so each partition is locked as well: policies forced, and no grant at all.
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
        select c.oid, c.relname from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'p' and n.nspname = 'public'
          and not exists (select from pg_inherits i where i.inhparent = c.oid)
    loop
        partition := parent.relname || '_' || lower(attach_region.region);
        execute format('create table %I partition of %I for values in (%L)', partition, parent.relname, attach_region.region);
        execute format('alter table %I enable row level security', partition);
        execute format('alter table %I force row level security', partition);
        execute format('revoke all on %I from public, kovra_api, kovra_writer', partition);
        -- What Postgres would learn when it first analyzes the partition. Until then it would take `compliance_region = …` for a
        -- condition that few rows meet, and read the whole partition to find a handful: each batch dearer than the last.
        perform pg_restore_attribute_stats(
            'schemaname', 'public', 'relname', partition, 'attname', 'compliance_region', 'inherited', false,
            'null_frac', 0::real, 'avg_width', length(attach_region.region), 'n_distinct', 1::real,
            'most_common_vals', format('{%s}', attach_region.region), 'most_common_freqs', '{1}'::real[]);
    end loop;
end
$$;

revoke all on procedure kovra_protect(regclass) from public;
revoke all on procedure attach_region(text) from public;

-- migrate: rollback
