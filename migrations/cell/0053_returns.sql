-- returns: money that comes back after a payment was completed
-- depends: 0050_rails

-- migrate: apply

-- What becomes of margin and fee when a payment comes back. `original`: principal and margin at the quote's integers, the fee is
-- kept; `original_and_fee`: the fee goes back too, in the same share.
alter table tenants add column return_policy text not null default 'original'
    check (return_policy in ('original', 'original_and_fee'));
grant update (return_policy) on tenants to kovra_writer;

-- One return of one payment, in each cell that it touches: a fold of its stream in the journal. `scheme_reference` is the scheme's RtrId: a return is on record once
-- per reference, before the scheme is answered. `before`: the sum of the returns of the payment that were on record before, so
-- that every share is a difference of cumulative floors. `amount` and `before` in the currency of the payout; the three `back`
-- columns in that of the wallet, zero in the cell that only paid out. `attempt` rises when the ledger has definitely refused.
create table returns (
    compliance_region text not null,
    return_id text not null,
    transfer_id text not null,
    tenant_id text not null,
    version integer not null default 1,
    wallet_id text not null,
    number integer not null check (number between 1 and 999),
    attempt integer not null default 1,
    rail text not null,
    scheme_reference text not null,
    currency text not null,
    amount bigint not null check (amount > 0),
    before bigint not null check (before >= 0),
    principal_back bigint not null check (principal_back >= 0),
    margin_back bigint not null check (margin_back >= 0),
    fee_back bigint not null check (fee_back >= 0),
    reason_code text not null,
    state text not null default 'received' check (state in ('received', 'booked', 'exported')),
    received_at instant not null,
    available_at instant,
    updated_at instant not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, return_id),
    unique (compliance_region, transfer_id, number),
    unique (compliance_region, rail, scheme_reference),  -- the scheme's key: no tenant chooses it or sees its errors
    foreign key (compliance_region, transfer_id) references transfers (compliance_region, transfer_id)
) partition by list (compliance_region);
create index returns_received on returns ((coalesce(available_at, received_at))) where state = 'received';
create index returns_booked on returns (return_id) where state = 'booked';

call kovra_protect('returns');

grant select on returns to kovra_api;
grant select, insert on returns to kovra_writer;
grant update (state, attempt, principal_back, margin_back, fee_back, version, updated_at, recorded_in) on returns to kovra_writer;

-- migrate: rollback
