-- the audit trail: append-only, one hash chain per cell, signed checkpoints
-- depends: 0001_roles

-- migrate: apply

-- Who did what, by ids alone. tenant_id is '' for the platform's own doings. The hash covers every column but itself and the
-- region (cells/audit/entry.py), so that a row that is changed by any hand no longer fits its chain.
create table audit_log (
    compliance_region text not null,
    cell text not null,
    sequence bigint not null check (sequence > 0),
    at instant not null,
    actor text not null,
    tenant_id text not null,
    action text not null,
    resource_id text not null,
    outcome text not null,
    request_id text not null,
    hash bytea not null check (octet_length(hash) = 32),
    primary key (compliance_region, cell, sequence)
) partition by list (compliance_region);
create index audit_log_by_tenant on audit_log (compliance_region, tenant_id, sequence);
-- By the id that partners name when they ask about a request; machines' own doings have none.
CREATE INDEX audit_log_by_request ON audit_log (compliance_region, request_id) WHERE request_id <> '';
-- Entries come about in the order of their times: a few pages tell where a span begins.
create index audit_log_by_time on audit_log using brin (at);

-- Where the chain stands: the row that every batch locks, so that the chain has one writer at a time.
create table audit_heads (
    compliance_region text not null,
    cell text not null,
    sequence bigint not null,
    hash bytea not null,
    primary key (compliance_region, cell)
) partition by list (compliance_region);

create table audit_checkpoints (
    compliance_region text not null,
    cell text not null,
    sequence bigint not null,
    hash bytea not null,
    at instant not null,
    kid text not null,
    signature bytea not null check (octet_length(signature) = 64),
    primary key (compliance_region, cell, sequence)
) partition by list (compliance_region);

call kovra_protect('audit_log');
call kovra_protect('audit_heads');
call kovra_protect('audit_checkpoints');

-- Nobody who serves may change or remove what is written.
grant select on audit_log to kovra_api;
grant select, insert on audit_log, audit_checkpoints to kovra_writer;
grant select, insert, update on audit_heads to kovra_writer;

-- migrate: rollback
