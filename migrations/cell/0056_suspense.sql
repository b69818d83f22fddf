-- orders: what an operator has decided of money that came in, and what became of it
-- depends: 0050_rails

-- migrate: apply

-- One decision on one credit, a fold of its stream in the journal, but for `asked` and `due_at`, when the scheme is asked again: `assign` gives suspended money to a tenant's wallet; `give_back` sends a credit back to who paid it, out of
-- suspense (`suspended`) or out of the wallet that it was credited to. `tenant_id` and `wallet_id`: whose actor carries it out. `number`
-- counts the orders of a credit: the ids of its postings and of its return are made of both. `outcome` is the scheme's final word on a
-- return (an assignment settles by itself); until then it is asked again under the same id, at `due_at`.
create table orders (
    compliance_region text not null,
    order_id text not null,
    collection_id text not null,
    number smallint not null check (number > 0),
    tenant_id text not null,
    version integer not null default 1,
    wallet_id text not null,
    kind text not null check (kind in ('assign', 'give_back')),
    suspended boolean not null,
    rail text not null,
    scheme_reference text not null,
    end_to_end_id text not null,
    amount bigint not null check (amount > 0),
    currency text not null,
    reason_code text not null,
    state text not null default 'ordered' check (state in ('ordered', 'held', 'answered', 'done', 'failed')),
    outcome text check (outcome in ('settled', 'refused')),
    answer_code text,
    asked integer not null default 0,
    due_at instant not null default now(),
    created_at instant not null default now(),
    updated_at instant not null default now(),
    recorded_in xid8 not null default pg_current_xact_id(),
    primary key (compliance_region, order_id),
    unique (compliance_region, collection_id, number),
    check (kind = 'give_back' or suspended),
    check ((state in ('answered', 'done')) = (outcome is not null)),
    foreign key (compliance_region, collection_id) references collections (compliance_region, collection_id)
) partition by list (compliance_region);
-- A credit is assigned, or given back, once: a second order may only follow one that came to nothing.
create unique index orders_standing on orders (compliance_region, collection_id)
    where state <> 'failed' and outcome is distinct from 'refused';
create index orders_open on orders (compliance_region, rail, order_id) where state not in ('done', 'failed');

call kovra_protect('orders');

grant select, insert on orders to kovra_writer;
grant update (state, outcome, answer_code, asked, due_at, version, updated_at, recorded_in) on orders to kovra_writer;

-- migrate: rollback
