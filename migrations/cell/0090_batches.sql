-- batches: many payments of one wallet, funded as a whole and moved line by line
-- depends: 0003_transfers 0040_fx

-- migrate: apply

-- A fold of its stream in the journal, but for `message_id` and `file_key`, which are of the partner's own file; its lines are not.
-- `funding_minor` is what the prices of its valid lines add up to, journaled before the ledger is asked for it; `remainder_minor` what
-- its lines have not spent once all have ended. Both in the wallet's currency. `fault`: why the whole batch failed.
-- `message_id` and `message_created_at`: as a pain.001 says them; `file_key`: a digest of the message id and of who initiates the file.
create table batches (
    compliance_region text not null,
    batch_id text not null,
    tenant_id text not null,
    wallet_id text not null,
    source_currency text not null,
    format text not null check (format in ('json', 'csv', 'pain.001')),
    state text not null default 'VALIDATING',
    all_or_nothing boolean not null,
    line_count integer not null check (line_count > 0),
    scheduled_for instant,
    funding_minor bigint check (funding_minor > 0),
    remainder_minor bigint check (remainder_minor between 0 and funding_minor),
    fault jsonb,
    message_id text,
    message_created_at instant,
    file_key text,
    version integer not null default 1,
    created_at instant not null default now(),
    updated_at instant not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, batch_id),
    foreign key (compliance_region, tenant_id) references tenants (compliance_region, tenant_id)
) partition by list (compliance_region);
-- A file is taken once. What paid nothing may come again, and a repetition that is asked for has no key.
create unique index batches_by_file on batches (compliance_region, tenant_id, file_key)
    where file_key is not null and state not in ('FAILED', 'CANCELLED');
create index batches_by_tenant on batches (compliance_region, tenant_id, batch_id);
-- What the worker looks through, however many past batches there are.
create index batches_open on batches (batch_id)
    where state not in ('COMPLETED', 'PARTIALLY_COMPLETED', 'FAILED', 'CANCELLED');

-- A line becomes a transfer when it is ACCEPTED, under the id that was minted for it as it came; its own state stays, and its life goes
-- on in `transfers`. What is personal in it (the reference that the recipient reads) is in the vault under that id.
create table batch_lines (
    compliance_region text not null,
    batch_id text not null,
    tenant_id text not null,
    line integer not null check (line > 0),
    state text not null check (state in ('RECEIVED', 'INVALID', 'READY', 'ACCEPTED', 'REFUSED', 'NOT_SENT')),
    transfer_id text,
    recipient_id text,
    payer_id text,
    side text check (side in ('source', 'target')),
    amount_minor bigint check (amount_minor > 0),
    target_currency text,
    metadata jsonb not null default '{}',
    deadline instant,
    quote_id text,
    source_minor bigint check (source_minor > 0),
    fault jsonb,
    file_line integer check (file_line > 0),
    primary key (compliance_region, batch_id, line),
    foreign key (compliance_region, batch_id) references batches (compliance_region, batch_id),
    check (state in ('INVALID', 'NOT_SENT')
           or (transfer_id is not null and recipient_id is not null and payer_id is not null and side is not null
               and amount_minor is not null and target_currency is not null)),
    check (state not in ('ACCEPTED', 'REFUSED') or (quote_id is not null and source_minor is not null)),
    check ((quote_id is null) = (source_minor is null))
) partition by list (compliance_region);

-- Which batch a payment is a line of.
alter table transfers add column batch_id text;
create index transfers_by_batch on transfers (compliance_region, batch_id) where batch_id is not null;

call kovra_protect('batches');
call kovra_protect('batch_lines');

grant select on batches, batch_lines to kovra_api;
grant insert (compliance_region, batch_id, tenant_id, wallet_id, source_currency, format, all_or_nothing, line_count, scheduled_for,
    message_id, message_created_at, file_key) on batches to kovra_api;
grant insert (compliance_region, batch_id, tenant_id, line, state, transfer_id, recipient_id, payer_id, side, amount_minor,
    target_currency, metadata, deadline, fault, file_line) on batch_lines to kovra_api;
-- To cancel.
grant update (state, version, updated_at, recorded_in) on batches to kovra_api;
grant update (state) on batch_lines to kovra_api;
grant select on batches, batch_lines to kovra_writer;
grant update (state, funding_minor, remainder_minor, fault, version, updated_at, recorded_in) on batches to kovra_writer;
grant update (state, quote_id, source_minor, fault) on batch_lines to kovra_writer;
-- The lines of a batch are priced by its worker.
grant insert on quotes to kovra_writer;

-- migrate: rollback
