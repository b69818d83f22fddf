-- transfers, and the answers kept under idempotency keys
-- depends: 0002_tenants 0006_journal

-- migrate: apply

-- One leg of one payment: a fold of its stream in the journal, written by the statement that writes the entry. `version`, `recorded_in`
-- and `updated_at` are those of the last entry, and `metadata` alone is in no entry: it is the partner's own words. `export_due` leaves a leg to the exporter; `answer` is what the
-- instructed cell said of it, admitted at our border and not yet acted upon. `screening` is null where nobody was screened; a case for
-- review, by `review_reasons`, waits until `review_until`; `released`: from a freeze, by two officers. Nothing here is personal data.
create table transfers (
    compliance_region text not null,
    transfer_id text not null,
    tenant_id text not null,
    leg text not null check (leg in ('origin', 'destination', 'in_region')),
    state text not null,
    version integer not null default 1,
    wallet_id text not null,
    origin_cell text not null,
    destination_cell text not null,
    quote_id text,
    recipient_id text not null,
    payer_id text,
    source_currency text not null,
    target_currency text not null,
    principal bigint not null check (principal >= 0),
    margin bigint not null check (margin >= 0),
    fee bigint not null check (fee >= 0),
    target_amount bigint not null check (target_amount > 0),
    recipient_fee bigint not null check (recipient_fee >= 0),
    rail text not null,
    screening text check (screening in ('clear', 'review', 'block')),
    review_reasons text[] not null default '{}',
    review_until instant,
    released boolean not null default false,
    metadata jsonb not null default '{}',
    attempt integer not null default 1,
    in_doubt boolean not null default false,
    export_due text check (export_due in ('instructed', 'settled', 'rejected')),
    instruction_sha256 bytea,
    answer jsonb,
    reason_code text,
    scheme_reference text,
    deadline instant,
    returned bigint not null default 0 check (returned >= 0),
    credited bigint not null default 0 check (credited >= 0),
    created_at instant not null default now(),
    updated_at instant not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, transfer_id),
    unique (compliance_region, tenant_id, quote_id)
) partition by list (compliance_region);
create index transfers_by_tenant on transfers (compliance_region, tenant_id, transfer_id);
-- What officers have to look at, and what they may release.
create index transfers_under_review on transfers (transfer_id) where state in ('IN_REVIEW', 'BLOCKED');
create index transfers_export_due on transfers (transfer_id) where export_due is not null;
-- Every leg that is not at rest: what the sweep looks through, however many past transfers there are.
create index transfers_moving on transfers (updated_at)
    where state not in ('COMPLETED', 'REFUNDED', 'REJECTED', 'CANCELLED', 'BLOCKED', 'LOST', 'PARTIALLY_RETURNED', 'RETURNED');

-- The first answer given under a key, for as long as the payment. No answer yet: the request is in flight.
create table idempotency_keys (
    compliance_region text not null,
    tenant_id text not null,
    operation text not null,
    key text not null,
    request_sha256 bytea not null check (octet_length(request_sha256) = 32),
    resource_id text not null,
    answer jsonb,
    created_at instant not null default now(),
    primary key (compliance_region, tenant_id, operation, key)
) partition by list (compliance_region);
create index idempotency_by_resource on idempotency_keys (compliance_region, resource_id);

call kovra_protect('transfers');
call kovra_protect('idempotency_keys');

grant select on transfers, idempotency_keys to kovra_api;
grant select, insert on transfers, idempotency_keys to kovra_writer;
grant update (state, version, attempt, in_doubt, export_due, instruction_sha256, answer, reason_code, scheme_reference,
    screening, review_reasons, review_until, released, returned, credited, updated_at, recorded_in) on transfers to kovra_writer;
grant update (answer) on idempotency_keys to kovra_writer;
grant insert on idempotency_keys to kovra_api;
grant update (answer) on idempotency_keys to kovra_api;

-- migrate: rollback
