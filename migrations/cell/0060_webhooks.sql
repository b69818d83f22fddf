-- webhooks: endpoints, their secrets, signing keys, deliveries; and how far readers of the journal have come
-- depends: 0002_tenants 0006_journal

-- migrate: apply

-- How far a reader of the journal has come: everything before (recorded_in, stream, version) in the order of commits, and that entry. Without
-- its row a reader begins anew, and loses nothing.
create table journal_readers (
    compliance_region text not null,
    reader text not null,
    recorded_in xid8 not null,
    stream text not null,
    version integer not null,
    primary key (compliance_region, reader)
) partition by list (compliance_region);

-- event_types: empty for all. failing_since: the first failure after the last success. It is sent what is recorded in the transaction
-- listens_from and later. A replay sends again what was recorded after (replay_after_xact, replay_after_stream, replay_after_version) and before
-- the transaction replay_until.
create table webhook_endpoints (
    compliance_region text not null,
    endpoint_id text not null,
    tenant_id text not null,
    url text not null,
    event_types text[] not null,
    listens_from xid8 not null default pg_current_xact_id(),
    created_at instant not null default now(),
    failing_since instant,
    disabled_at instant,
    disabled_reason text check (disabled_reason in ('owner', 'gone', 'failing')),
    deleted_at instant,
    replay_after_xact xid8,
    replay_after_stream text,
    replay_after_version integer,
    replay_until xid8,
    primary key (compliance_region, endpoint_id),
    check ((disabled_at is null) = (disabled_reason is null)),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);
create index webhook_endpoints_by_tenant on webhook_endpoints (compliance_region, tenant_id) where deleted_at is null;
create index webhook_endpoints_replaying on webhook_endpoints (compliance_region, endpoint_id) where replay_until is not null;

-- An endpoint's signing secrets, sealed under the region's key (cells/backends/vault.py). The newest has no end; those
-- before it sign beside it until theirs.
create table webhook_secrets (
    compliance_region text not null,
    endpoint_id text not null,
    number integer not null,
    tenant_id text not null,
    secret_kid text not null,
    secret_key bytea not null,
    secret_nonce bytea not null,
    secret_sealed bytea not null,
    created_at instant not null default now(),
    ends_at instant,
    primary key (compliance_region, endpoint_id, number),
    foreign key (compliance_region, endpoint_id) references webhook_endpoints (compliance_region, endpoint_id)
) partition by list (compliance_region);

-- A tenant's signing key pairs, one per algorithm: ES256 for the detached JWS, Ed25519 for v1a. The public half as a JWK, the
-- private half sealed.
create table webhook_signers (
    compliance_region text not null,
    tenant_id text not null,
    algorithm text not null check (algorithm in ('ES256', 'Ed25519')),
    kid text not null,
    public_jwk text not null,
    secret_kid text not null,
    secret_key bytea not null,
    secret_nonce bytea not null,
    secret_sealed bytea not null,
    created_at instant not null default now(),
    primary key (compliance_region, tenant_id, algorithm),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);

-- One event's way to one endpoint. Its body is not stored: it follows from the entry (stream, version) of the journal. due_at is also the lease: a worker that takes a delivery moves it on, so that one that dies is followed by another.
-- attempt_log: the last attempts, oldest first (cells/webhooks/store.py). A dead one is told to the stream of dead letters
-- until dead_lettered_at says so.
create table webhook_deliveries (
    compliance_region text not null,
    event_id text not null,
    endpoint_id text not null,
    tenant_id text not null,
    event_type text not null,
    stream text not null,
    version integer not null,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
    -- which sending this is: a replay or resending is the next; its attempts are counted anew
    sending integer not null default 1,
    attempts integer not null default 0,
    due_at instant not null default now(),
    last_status integer,
    last_error text,
    attempt_log jsonb not null default '[]',
    delivered_at instant,
    dead_lettered_at instant,
    created_at instant not null default now(),
    primary key (compliance_region, event_id, endpoint_id),
    foreign key (compliance_region, endpoint_id) references webhook_endpoints (compliance_region, endpoint_id)
) partition by list (compliance_region);
create index webhook_deliveries_due on webhook_deliveries (due_at) where state = 'pending';
create index webhook_deliveries_of_endpoint on webhook_deliveries (endpoint_id, due_at) where state = 'pending';
create index webhook_deliveries_dead on webhook_deliveries (event_id) where state = 'dead' and dead_lettered_at is null;
create index webhook_deliveries_by_endpoint on webhook_deliveries (compliance_region, tenant_id, endpoint_id, event_id);

call kovra_protect('journal_readers');
call kovra_protect('webhook_endpoints');
call kovra_protect('webhook_secrets');
call kovra_protect('webhook_signers');
call kovra_protect('webhook_deliveries');

grant select, insert on webhook_deliveries, webhook_endpoints, webhook_secrets, webhook_signers to kovra_api;
grant update (url, event_types, listens_from, failing_since, disabled_at, disabled_reason, deleted_at, replay_after_xact,
    replay_after_stream, replay_after_version, replay_until) on webhook_endpoints to kovra_api;
grant update (ends_at) on webhook_secrets to kovra_api;
grant update (state, sending, attempts, due_at, dead_lettered_at) on webhook_deliveries to kovra_api;
grant select, insert, update on journal_readers to kovra_writer;
grant select on webhook_endpoints, webhook_secrets, webhook_signers to kovra_writer;
grant update (secret_kid, secret_key) on webhook_secrets, webhook_signers to kovra_writer;
grant update (failing_since, disabled_at, disabled_reason, replay_after_xact, replay_after_stream, replay_after_version,
    replay_until) on webhook_endpoints to kovra_writer;
grant select, insert, update on webhook_deliveries to kovra_writer;

-- migrate: rollback
