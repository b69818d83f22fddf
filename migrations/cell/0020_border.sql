-- the border: customs log, corridors, and the outbox of envelopes
-- depends: 0003_transfers

-- migrate: apply

-- Where the customs chain stands. Its row is the one lock of export and admission.
create table customs_head (
    compliance_region text not null,
    position bigint not null check (position >= 0),
    hash bytea not null check (octet_length(hash) = 32),
    primary key (compliance_region)
) partition by list (compliance_region);

-- Every crossing, one way or refused: append-only (nobody may update or delete) and hash-chained. Names of the sealed fields that
-- crossed, never a value. `admitted` rows are also the inbox: their unique index is what makes an admission happen once.
create table customs_log (
    compliance_region text not null,
    position bigint not null check (position > 0),
    direction text not null check (direction in ('exported', 'admitted', 'refused')),
    from_cell text not null,
    to_cell text not null,
    kind text not null,
    sequence bigint not null,
    transfer_id text not null,
    envelope_sha256 bytea not null check (octet_length(envelope_sha256) = 32),
    allow_list integer not null,
    crossed_fields text[] not null,
    reason text not null,
    at instant not null,
    previous_hash bytea not null check (octet_length(previous_hash) = 32),
    entry_hash bytea not null check (octet_length(entry_hash) = 32),
    primary key (compliance_region, position)
) partition by list (compliance_region);
create unique index customs_log_exported on customs_log (compliance_region, to_cell, sequence) where direction = 'exported';
create unique index customs_log_admitted on customs_log (compliance_region, from_cell, sequence) where direction = 'admitted';
create unique index customs_log_refused on customs_log (compliance_region, envelope_sha256) where direction = 'refused';
create index customs_log_instructions on customs_log (transfer_id) where direction = 'exported' and kind = 'instructed';
create index customs_log_transfer on customs_log (transfer_id);

-- One row per other cell: how far each direction has come. A roll is the running hash of a corridor's envelopes.
create table customs_corridors (
    compliance_region text not null,
    peer text not null,
    exported_sequence bigint not null default 0,
    exported_roll bytea not null,
    receipted_sequence bigint not null default 0,
    receipt bytea,
    admitted_sequence bigint not null default 0,
    admitted_roll bytea not null,
    receipt_due boolean not null default false,
    primary key (compliance_region, peer),
    check (receipted_sequence <= exported_sequence)
) partition by list (compliance_region);

-- Envelopes on their way. Closed by the destination's signed receipt, which also takes the bytes (and with them the sealed copy).
create table customs_outbox (
    compliance_region text not null,
    to_cell text not null,
    sequence bigint not null,
    kind text not null,
    transfer_id text not null,
    subject text not null,
    message_id text not null,
    envelope bytea,
    roll bytea not null,
    exported_at instant not null,
    published_at instant,
    closed_at instant,
    primary key (compliance_region, to_cell, sequence),
    check ((envelope is null) = (closed_at is not null))
) partition by list (compliance_region);
create index customs_outbox_unpublished on customs_outbox (to_cell, sequence) where published_at is null and closed_at is null;
create index customs_outbox_open on customs_outbox (published_at) where closed_at is null;

call kovra_protect('customs_head');
call kovra_protect('customs_log');
call kovra_protect('customs_corridors');
call kovra_protect('customs_outbox');

grant select, insert on customs_head, customs_log, customs_corridors, customs_outbox to kovra_writer;
grant update (position, hash) on customs_head to kovra_writer;
grant update (exported_sequence, exported_roll, receipted_sequence, receipt, admitted_sequence, admitted_roll, receipt_due)
    on customs_corridors to kovra_writer;
grant update (envelope, published_at, closed_at) on customs_outbox to kovra_writer;

-- migrate: rollback
