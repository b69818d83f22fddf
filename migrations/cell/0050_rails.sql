-- what the cell asked its rails to pay, and what the rails brought in
-- depends: 0003_transfers

-- migrate: apply

-- One payment out. It only moves forward, queued → asked → answered → acknowledged, but for asked → queued when the scheme
-- cannot have seen it. While asked, in_doubt_since says that the scheme has been silent since then, inquiries how often it was
-- asked after, in_doubt_code under which reason it has refused the payment without ending it. No name, account number or message is here.
create table submissions (
    compliance_region text not null,
    transfer_id text not null,
    tenant_id text not null,
    rail text not null,
    end_to_end_id text not null,
    uetr text not null,
    state text not null default 'queued' check (state in ('queued', 'asked', 'answered', 'acknowledged')),
    outcome text check (outcome in ('settled', 'refused')),
    scheme_reference text,
    reason_code text,
    reason text,
    queued_at instant not null default now(),
    asked_at instant,
    in_doubt_since instant,
    in_doubt_cause text check (in_doubt_cause in ('no_answer', 'pending', 'not_found', 'unclear', 'contradiction')),
    in_doubt_code text,
    inquiries integer not null default 0,
    answered_at instant,
    acknowledged_at instant,
    primary key (compliance_region, transfer_id),
    check ((state = 'queued') = (asked_at is null)),
    check ((state in ('answered', 'acknowledged')) = (outcome is not null)),
    check ((outcome = 'refused') = (reason_code is not null)),
    foreign key (compliance_region, transfer_id) references transfers (compliance_region, transfer_id)
) partition by list (compliance_region);
create index submissions_unfinished on submissions (compliance_region, rail, transfer_id) where state <> 'acknowledged';
create index submissions_by_uetr on submissions (uetr);
create index submissions_by_tenant on submissions (compliance_region, tenant_id, transfer_id);

-- One credit in: a fold of its stream in the journal, as a payment is. A scheme's reference arrives again with every duplicate. Money that
-- nobody can be found for is the house's own tenant's (cell:eu-1): refused, and in no wallet, or, where the scheme has settled it already, in
-- the house's until somebody orders what becomes of it (0056). `reason_code`
-- says why it could not be credited. The debtor and the remittance text are personal: they are in the vault under debtor_subject_id.
-- settlement_date: the day, where the scheme is, on which it settles; available_at: when that day begins, null where it had begun when the
-- credit came. A credit stays `received`, and is nobody's to spend, until then.
-- message_sha256: of the message it came in, kept to show what came without keeping it.
create table collections (
    compliance_region text not null,
    collection_id text not null,
    tenant_id text not null,
    version integer not null default 1,
    wallet_id text,
    rail text not null,
    scheme_reference text not null,
    end_to_end_id text not null,
    amount bigint not null check (amount > 0),
    currency text not null,
    state text not null default 'received' check (state in ('received', 'credited', 'suspended', 'returned', 'refused')),
    reason_code text,
    debtor_subject_id text,
    message_sha256 bytea not null check (octet_length(message_sha256) = 32),
    received_at instant not null,
    settlement_date date,
    available_at instant,
    updated_at instant not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, collection_id),
    unique (compliance_region, rail, scheme_reference),  -- the scheme's key: no tenant chooses it or sees its errors
    check ((state = 'refused') = (wallet_id is null)),
    check (available_at is null or available_at > received_at),
    check (available_at is null or settlement_date is not null),
    check (state not in ('refused', 'suspended') or reason_code is not null)
) partition by list (compliance_region);
create index collections_by_tenant on collections (compliance_region, tenant_id, collection_id);
create index collections_received on collections (compliance_region, (coalesce(available_at, received_at))) where state = 'received';
create index collections_suspended on collections (compliance_region, collection_id) where state = 'suspended';

call kovra_protect('submissions');
call kovra_protect('collections');

grant select on submissions, collections to kovra_api;
grant select, insert on submissions, collections to kovra_writer;
grant update (state, outcome, scheme_reference, reason_code, reason, asked_at, in_doubt_since, in_doubt_cause, in_doubt_code, inquiries,
              answered_at, acknowledged_at) on submissions to kovra_writer;
grant update (state, tenant_id, wallet_id, version, updated_at, recorded_in) on collections to kovra_writer;

-- migrate: rollback
