-- recalls: credits that we received, and that their senders ask back
-- depends: 0050_rails

-- migrate: apply

-- One camt.056 line, on record before the scheme is answered. `collection_id` and `tenant_id` are those of the credit it names; none
-- where it names no credit of ours. Our answer (a camt.029) leaves afterwards, and again until the scheme has taken it.
create table recalls (
    compliance_region text not null,
    rail text not null,
    recall_id text not null,
    collection_id text,
    tenant_id text,
    scheme_reference text not null,
    end_to_end_id text not null,
    reason_code text not null,
    state text not null default 'asked' check (state in ('asked', 'kept')),
    answer_code text,
    received_at timestamptz not null,
    answered_at timestamptz,
    primary key (compliance_region, rail, recall_id),  -- the scheme's key: no tenant chooses it or sees its errors
    check ((state = 'asked') = (answered_at is null))
) partition by list (compliance_region);
create index recalls_asked on recalls (rail, recall_id) where state = 'asked';

call kovra_protect('recalls');

grant select on recalls to kovra_api;
grant select, insert on recalls to kovra_writer;
grant update (state, answer_code, answered_at) on recalls to kovra_writer;

-- migrate: rollback
