-- sandbox_time: how far a sandbox's tenant has let its own time go by
-- depends: 0004_sub_wallets 0053_returns 0090_batches

-- migrate: apply

-- One advance, under the reference of the request that asked for it. What waits for the tenant comes nearer by so many seconds in the same
-- commit (cells/wallets/store_sandbox_time.py); production has no row here.
create table sandbox_advances (
    compliance_region text not null,
    tenant_id text not null,
    reference text not null,
    seconds integer not null check (seconds > 0),
    advanced_at instant not null default now(),
    primary key (compliance_region, tenant_id, reference),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);

call kovra_protect('sandbox_advances');

grant select, insert on sandbox_advances to kovra_writer;
grant update (expires_at) on quotes to kovra_writer;
grant update (available_at) on collections, returns to kovra_writer;
grant update (locked_until) on sub_wallets to kovra_writer;
grant update (scheduled_for) on batches to kovra_writer;

-- migrate: rollback

drop table sandbox_advances;
