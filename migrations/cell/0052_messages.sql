-- every message that went to a scheme or came from one, as it was on the wire
-- depends: 0050_rails

-- migrate: apply

-- One message. `ciphertext` is its bytes under a data key of its own, which the region's key wraps; erasing sets wrapped_key to null,
-- and leaves the row with its digest. `erase_after`: when the law's term ends (residency/rules, `keeping`). `business_ids`: the payments, returns and credits that it speaks of, as the scheme names them.
-- The key names `sha256` and `direction`, so that a record moved to another row does not open.
create table rail_messages (
    compliance_region text not null,
    position bigint generated always as identity,
    rail text not null,
    direction text not null check (direction in ('sent', 'received')),
    message_type text not null,
    sha256 bytea not null check (octet_length(sha256) = 32),
    business_ids text[] not null,
    at instant not null,
    wrapped_key bytea check (octet_length(wrapped_key) = 60),
    kek_kid text,
    nonce bytea not null check (octet_length(nonce) = 12),
    ciphertext bytea not null,
    erase_after instant not null,
    erased_at instant,
    primary key (compliance_region, position),
    check ((erased_at is null) = (wrapped_key is not null)),
    check ((wrapped_key is null) = (kek_kid is null))
) partition by list (compliance_region);
create index rail_messages_business on rail_messages using gin (business_ids);
create index rail_messages_kek on rail_messages (compliance_region, kek_kid) where wrapped_key is not null;
create index rail_messages_due on rail_messages (compliance_region, erase_after) where wrapped_key is not null;

call kovra_protect('rail_messages');

grant select, insert on rail_messages to kovra_writer;
grant update (wrapped_key, kek_kid, erased_at) on rail_messages to kovra_writer;

-- migrate: rollback
