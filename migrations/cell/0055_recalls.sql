-- recalls: credits that we received and that their senders ask back, and payments of ours that we ask back
-- depends: 0050_rails

-- migrate: apply

-- One camt.056 line, on record before the scheme is answered, or sent. `case_id`: what the scheme knows it by, its own id or ours.
-- `collection_id` and `tenant_id` of a received one are those of the credit it names; none, and the house, where it names no credit of
-- ours. A row is a fold of its stream in the journal.
--   received   asked (a person decides) → granting (order_id gives it back) → granted, or → refusing (a camt.029 is due) → refused
--   sent       asking (a camt.056 is due) → asked → refused (their camt.029), or → granted (the money has come, by a pacs.004)
create table recalls (
    compliance_region text not null,
    recall_id text not null,
    direction text not null check (direction in ('received', 'sent')),
    rail text not null,
    case_id text not null,
    transfer_id text,
    collection_id text,
    tenant_id text not null,
    version integer not null default 1,
    scheme_reference text not null,
    end_to_end_id text not null,
    amount bigint check (amount > 0),
    currency text,
    reason_code text not null,
    state text not null check (state in ('asking', 'asked', 'granting', 'granted', 'refusing', 'refused')),
    answer_code text,
    order_id text,
    at instant not null,
    updated_at instant not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, recall_id),
    unique (compliance_region, rail, direction, case_id),  -- the scheme's key: no tenant chooses it or sees its errors
    check ((direction = 'sent') = (transfer_id is not null)),
    check (state not in ('refusing', 'refused') or answer_code is not null),
    check (state <> 'granting' or order_id is not null)
) partition by list (compliance_region);
create index recalls_due on recalls (rail, recall_id) where state in ('asking', 'refusing');
-- A payment is asked back by one recall at a time.
create unique index recalls_open on recalls (compliance_region, transfer_id) where direction = 'sent' and state in ('asking', 'asked');
create index recalls_ordered on recalls (compliance_region, order_id) where state = 'granting';

call kovra_protect('recalls');

grant select on recalls to kovra_api;
grant select, insert on recalls to kovra_writer;
grant update (state, answer_code, order_id, version, updated_at, recorded_in) on recalls to kovra_writer;

-- migrate: rollback
