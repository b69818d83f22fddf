-- sub-wallets, and the money that a tenant moves between its own wallets
-- depends: 0002_tenants

-- migrate: apply

-- Both tables are folds of their streams in the journal; `label` is the partner's own word, and in no entry.
-- A named part of a tenant's wallet, with an account of its own in the ledger (the qualifier of the account's id is its number). The
-- partner's wish is on record before the main wallet's actor numbers it and opens its row in `wallets` under the same id.
create table sub_wallets (
    compliance_region text not null,
    wallet_id text not null,
    tenant_id text not null,
    parent_wallet_id text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    label text not null,
    target_minor bigint check (target_minor > 0),
    locked_until instant,
    state text not null default 'asked' check (state in ('asked', 'open', 'closed')),
    version integer not null default 1,
    created_at instant not null default now(),
    updated_at instant not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, wallet_id),
    foreign key (compliance_region, parent_wallet_id) references wallets (compliance_region, wallet_id)
) partition by list (compliance_region);
create unique index sub_wallets_by_name on sub_wallets (compliance_region, tenant_id, parent_wallet_id, label)
    where state <> 'closed';
create index sub_wallets_by_parent on sub_wallets (compliance_region, tenant_id, parent_wallet_id, wallet_id);
create index sub_wallets_asked on sub_wallets (wallet_id) where state = 'asked';

-- W → W. `writer_wallet_id`: the tenant's main wallet of the currency, whose actor alone moves money between it and its sub-wallets.
-- A close moves whatever is there; its amount is known once it is planned.
create table book_transfers (
    compliance_region text not null,
    book_id text not null,
    tenant_id text not null,
    writer_wallet_id text not null,
    kind text not null check (kind in ('transfer', 'close')),
    from_wallet_id text not null,
    to_wallet_id text not null check (to_wallet_id <> from_wallet_id),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    amount bigint not null check (amount >= 0),
    state text not null default 'asked' check (state in ('asked', 'planned', 'applied', 'refused')),
    reason text,
    missing_minor bigint check (missing_minor > 0),
    version integer not null default 1,
    created_at instant not null default now(),
    updated_at instant not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, book_id),
    check (kind = 'close' or amount > 0),
    check ((state = 'refused') = (reason is not null)),
    foreign key (compliance_region, from_wallet_id) references wallets (compliance_region, wallet_id),
    foreign key (compliance_region, to_wallet_id) references wallets (compliance_region, wallet_id)
) partition by list (compliance_region);
create index book_transfers_moving on book_transfers (writer_wallet_id, book_id) where state in ('asked', 'planned');

call kovra_protect('sub_wallets');
call kovra_protect('book_transfers');

grant select on sub_wallets, book_transfers to kovra_api, kovra_writer;
grant insert (compliance_region, wallet_id, tenant_id, parent_wallet_id, currency, label, target_minor, locked_until)
    on sub_wallets to kovra_api;
grant insert (compliance_region, book_id, tenant_id, writer_wallet_id, kind, from_wallet_id, to_wallet_id, currency, amount)
    on book_transfers to kovra_api;
grant update (state, version, updated_at, recorded_in) on sub_wallets to kovra_writer;
grant update (state, amount, reason, missing_minor, version, updated_at, recorded_in) on book_transfers to kovra_writer;

-- migrate: rollback
