-- what happened, told to partners: events, endpoints, signing keys, deliveries
-- depends: 0002_tenants

-- migrate: apply

-- body is the exact text that is signed and sent. recorded_in makes a cursor without gaps: read events below
-- pg_snapshot_xmin(pg_current_snapshot()) in the order (recorded_in, event_id), and no late commit is skipped.
create table events (
    compliance_region text not null,
    event_id text not null,
    tenant_id text not null,
    event_type text not null,
    resource_id text not null,
    body text not null,
    occurred_at timestamptz not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, event_id),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);
create index events_by_tenant on events (compliance_region, tenant_id, recorded_in, event_id);

-- event_types: empty for all. The signing secret is sealed under the region's key (cells/backends/vault.py).
create table webhook_endpoints (
    compliance_region text not null,
    endpoint_id text not null,
    tenant_id text not null,
    url text not null,
    event_types text[] not null,
    secret_kid text not null,
    secret_key bytea not null,
    secret_nonce bytea not null,
    secret_sealed bytea not null,
    created_at timestamptz not null default now(),
    disabled_at timestamptz,
    disabled_reason text,
    primary key (compliance_region, endpoint_id),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);
create index webhook_endpoints_by_tenant on webhook_endpoints (compliance_region, tenant_id);

-- One signing key pair per tenant for the detached JWS: the public half as a JWK, the private half sealed.
create table webhook_signers (
    compliance_region text not null,
    tenant_id text not null,
    kid text not null,
    public_jwk text not null,
    secret_kid text not null,
    secret_key bytea not null,
    secret_nonce bytea not null,
    secret_sealed bytea not null,
    created_at timestamptz not null default now(),
    primary key (compliance_region, tenant_id),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);

-- due_at is also the lease: a worker that takes a delivery moves it on, so that one that dies is followed by another.
create table webhook_deliveries (
    compliance_region text not null,
    event_id text not null,
    endpoint_id text not null,
    tenant_id text not null,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
    attempts integer not null default 0,
    due_at timestamptz not null default now(),
    last_status integer,
    last_error text,
    delivered_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (compliance_region, event_id, endpoint_id),
    foreign key (compliance_region, event_id) references events (compliance_region, event_id),
    foreign key (compliance_region, endpoint_id) references webhook_endpoints (compliance_region, endpoint_id)
) partition by list (compliance_region);
create index webhook_deliveries_due on webhook_deliveries (due_at) where state = 'pending';
create index webhook_deliveries_by_endpoint on webhook_deliveries (compliance_region, tenant_id, endpoint_id, created_at);

call kovra_protect('events');
call kovra_protect('webhook_endpoints');
call kovra_protect('webhook_signers');
call kovra_protect('webhook_deliveries');

grant select on events, webhook_deliveries to kovra_api;
grant select, insert on webhook_endpoints, webhook_signers to kovra_api;
grant update (disabled_at, disabled_reason) on webhook_endpoints to kovra_api;
grant update (state, attempts, due_at) on webhook_deliveries to kovra_api;
grant select, insert on events to kovra_writer;
grant select on webhook_endpoints, webhook_signers to kovra_writer;
grant update (disabled_at, disabled_reason) on webhook_endpoints to kovra_writer;
grant select, insert, update on webhook_deliveries to kovra_writer;

-- migrate: rollback
