-- the journal: every entry of every life, append-only, by region and by the month in which the life began
-- depends: 0001_roles

-- migrate: apply

-- One entry of one stream; a stream is one life. `version` counts the entries of a stream, and the primary key lets one entry be the
-- n-th. `born`: the first day of the month that the stream's id was minted in, so it follows from the id. `recorded_in`: the transaction
-- that wrote it, or a later one that wrote the entry before it: readers who follow it below the oldest open transaction miss nothing, and
-- find the entries of a stream in order. Nothing here is about a person (cells/journal/kinds.py).
create table journal (
    compliance_region text not null,
    born date not null check (extract(day from born) = 1),
    stream text not null,
    version integer not null check (version > 0),
    kind text not null,
    tenant_id text not null,
    actor text not null,
    request_id text not null,
    at instant not null,
    recorded_in xid8 not null default pg_current_xact_id(),
    facts jsonb not null,
    primary key (compliance_region, born, stream, version)
) partition by list (compliance_region);
create index journal_in_commit_order on journal (recorded_in);

-- Whether partners are told of an entry, as an event. A tenant that is a cell is no partner. In region an instruction is a moment that nobody
-- is told of.
create function is_public(kind text, facts jsonb, tenant_id text) returns boolean
    language sql immutable parallel safe
    return kind in (
        'batch.completed.1', 'batch.failed.1', 'batch.partially_completed.1', 'credit.assigned.1', 'credit.booked.1', 'credit.pending.1',
        'credit.returned.1', 'endpoint.disabled.1', 'endpoint.tested.1', 'transfer.cleared.1', 'transfer.frozen.1', 'transfer.held.1',
        'transfer.held_for_review.1', 'transfer.hold_refused.1', 'transfer.instruct.1', 'transfer.loss_booked.1',
        'transfer.partially_returned.1', 'transfer.posted.1', 'transfer.referred.1', 'transfer.returned.1', 'transfer.unfrozen.1',
        'transfer.voided.1'
    ) and (kind <> 'transfer.instruct.1' or facts->>'state' = 'INSTRUCTED') and tenant_id not like 'cell:%';
create index journal_public on journal (tenant_id, recorded_in) where is_public(kind, facts, tenant_id);
create index journal_public_by_time on journal (tenant_id, at) where is_public(kind, facts, tenant_id);

call kovra_protect('journal');

-- What a partner asks for is on record in the commit of its call, as an entry of its own tenant's.
grant select, insert on journal to kovra_api, kovra_writer;

-- migrate: rollback
