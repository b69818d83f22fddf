-- the embedded ledger engine: accounts, postings, history, burnt ids and its clock
-- depends: 0001_roles

-- migrate: apply

-- Not partitioned by region: a schema of its own for one role, holding numbers only, as a TigerBeetle cluster would (and whoever
-- runs TigerBeetle leaves it empty). u128 numbers are uuid (16 bytes, ordered); u128 amounts are numeric; u64 marks are bigint,
-- two's complement. Nobody deletes, and a posting never changes but for what has become of its hold.
create schema ledger;

-- One row: taken for update by every batch, so that batches follow one another and timestamps rise strictly.
create table ledger.clock (
    only_one boolean primary key default true check (only_one),
    last_timestamp bigint not null
);
insert into ledger.clock (last_timestamp) values (0);

create table ledger.accounts (
    id uuid primary key,
    ledger bigint not null,
    code integer not null,
    flags integer not null,
    user_data_128 uuid not null,
    user_data_64 bigint not null,
    user_data_32 bigint not null,
    debits_pending numeric(39) not null check (debits_pending >= 0),
    debits_posted numeric(39) not null check (debits_posted >= 0),
    credits_pending numeric(39) not null check (credits_pending >= 0),
    credits_posted numeric(39) not null check (credits_posted >= 0),
    timestamp bigint not null unique,
    -- The evaluator keeps the balance flags; the table would refuse if it ever did not.
    check (flags & 2 = 0 or debits_pending + debits_posted <= credits_posted),
    check (flags & 4 = 0 or credits_pending + credits_posted <= debits_posted)
) with (fillfactor = 50);

-- `status`: 0 no hold, 1 pending, 2 posted, 3 voided, 4 expired. `expires_at` only while a hold with a timeout is pending, so that
-- resolving any other hold touches no index.
create table ledger.postings (
    id uuid primary key,
    debit_account_id uuid not null,
    credit_account_id uuid not null,
    amount numeric(39) not null check (amount >= 0),
    pending_id uuid not null,
    user_data_128 uuid not null,
    user_data_64 bigint not null,
    user_data_32 bigint not null,
    timeout_s bigint not null,
    ledger bigint not null,
    code integer not null,
    flags integer not null,
    timestamp bigint not null unique,
    status smallint not null check (status between 0 and 4),
    expires_at bigint,
    check (debit_account_id <> credit_account_id)
) with (fillfactor = 85);
create index postings_by_debit_account on ledger.postings (debit_account_id, timestamp);
create index postings_by_credit_account on ledger.postings (credit_account_id, timestamp);
create index postings_by_payment on ledger.postings (user_data_128, timestamp);
create index postings_by_deadline on ledger.postings (expires_at) where expires_at is not null;

-- Balances after each event, for accounts that keep a history.
create table ledger.balances (
    account_id uuid not null,
    timestamp bigint not null,
    debits_pending numeric(39) not null,
    debits_posted numeric(39) not null,
    credits_pending numeric(39) not null,
    credits_posted numeric(39) not null,
    primary key (account_id, timestamp)
);

-- Ids of postings that failed for a reason that may pass: they answer id_already_failed for ever.
create table ledger.burnt_ids (
    id uuid primary key
);

revoke all on schema ledger from public;
grant usage on schema ledger to kovra_ledger;
grant select on all tables in schema ledger to kovra_ledger;
grant update (last_timestamp) on ledger.clock to kovra_ledger;
grant insert on ledger.accounts, ledger.postings, ledger.balances, ledger.burnt_ids to kovra_ledger;
grant update (flags, debits_pending, debits_posted, credits_pending, credits_posted) on ledger.accounts to kovra_ledger;
grant update (status, expires_at) on ledger.postings to kovra_ledger;

-- migrate: rollback
