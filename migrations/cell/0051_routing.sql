-- which rail each payment was sent by and why, and how the cell's rails stand
-- depends: 0050_rails

-- migrate: apply

-- Every choice of a rail for a payment, numbered from 1. candidates: each rail that was weighed, with its cost in minor units and the
-- time by which it would have settled. The last row names the rail that the leg itself names.
create table routes (
    compliance_region text not null,
    transfer_id text not null,
    tenant_id text not null,
    number smallint not null check (number > 0),
    cause text not null check (cause in ('accepted', 'admitted', 'fallback')),
    rail text not null,
    candidates jsonb not null,
    at instant not null default clock_timestamp(),
    primary key (compliance_region, transfer_id, number)
) partition by list (compliance_region);

-- The circuit of each rail, as its actor last said.
create table rail_standing (
    compliance_region text not null,
    rail text not null,
    breaker text not null check (breaker in ('closed', 'half_open', 'open')),
    since instant not null default now(),
    primary key (compliance_region, rail)
) partition by list (compliance_region);

call kovra_protect('routes');
call kovra_protect('rail_standing');
-- No tenant's own: every partner may see how the rails stand.
create policy everybody_reads on rail_standing for select to kovra_api using (true);

grant select on routes, rail_standing to kovra_api;
grant select, insert on routes to kovra_writer;
grant select, insert on rail_standing to kovra_writer;
grant update (breaker, since) on rail_standing to kovra_writer;
grant update (rail) on transfers to kovra_writer;
grant update (rail) on submissions to kovra_writer;

-- migrate: rollback
