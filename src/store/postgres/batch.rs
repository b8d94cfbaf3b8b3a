//! The statements of a batch on one connection: sent, answered, judged.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use deadpool_postgres::Object;
use tokio_postgres::types::{ToSql, Type};

use super::super::engine::{Question, Statement, Value};
use super::failure::{Fault, fault};
use super::marks::{self, Mark};
use super::wire;
use crate::app::ports::StoreError;

/// What the statements of a batch answered, in order.
pub(super) type Answers = Vec<Result<u64, tokio_postgres::Error>>;

/// Begins a transaction and sends all statements before the first has answered.
pub(super) async fn pipelined(
    client: &Object,
    batch: &[Statement],
    mark: &Mark,
) -> Result<Answers, tokio_postgres::Error> {
    let mut prepared = Vec::with_capacity(batch.len());
    for statement in batch {
        prepared.push(client.prepare_typed_cached(statement.sql, &types(&statement.params)).await?);
    }
    let leave = marks::prepare(client).await?;
    let mut steps: Vec<Step<'_, u64>> = Vec::with_capacity(batch.len() + 2);
    steps.push(Box::pin(async { client.batch_execute(BEGIN).await.map(|()| 0) }));
    for (statement, prepared) in batch.iter().zip(&prepared) {
        steps.push(Box::pin(async move {
            let params = references(&statement.params);
            client.execute(prepared, &params).await
        }));
    }
    steps.push(Box::pin(mark.leave(client, &leave)));
    let mut answers = in_order(steps).await;
    let ended = answers.pop().unwrap_or(Ok(0));
    let began = answers.remove(0);
    began?;
    if answers.iter().all(Result::is_ok) {
        ended?;
    }
    Ok(answers)
}

/// Sends all questions before the first is answered.
pub(super) async fn asked(
    client: &Object,
    questions: &[Question],
) -> Result<Vec<Vec<tokio_postgres::Row>>, tokio_postgres::Error> {
    let mut prepared = Vec::with_capacity(questions.len());
    for question in questions {
        prepared.push(client.prepare_typed_cached(question.sql, &types(&question.params)).await?);
    }
    let steps: Vec<Step<'_, Vec<tokio_postgres::Row>>> = questions
        .iter()
        .zip(&prepared)
        .map(|(question, prepared)| -> Step<'_, Vec<tokio_postgres::Row>> {
            Box::pin(async move { client.query(prepared, &references(&question.params)).await })
        })
        .collect();
    in_order(steps).await.into_iter().collect()
}

/// Begins a transaction and runs one statement after the other, as far as they are as expected.
pub(super) async fn in_turn(
    client: &Object,
    batch: &[Statement],
    mark: &Mark,
) -> Result<Answers, tokio_postgres::Error> {
    client.batch_execute(BEGIN).await?;
    let mut answers = Vec::with_capacity(batch.len());
    for statement in batch {
        let done = async {
            let prepared = client.prepare_typed(statement.sql, &types(&statement.params)).await?;
            client.execute(&prepared, &references(&statement.params)).await
        };
        answers.push(done.await);
        if !answers.last().is_some_and(|answer| answer.as_ref().is_ok_and(|count| statement.expect.admits(*count))) {
            return Ok(answers);
        }
    }
    mark.leave(client, &marks::prepare(client).await?).await?;
    Ok(answers)
}

type Step<'a, T> = Pin<Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send + 'a>>;

/// Runs the steps side by side. They are begun in order, and the server answers in order: so only the first that waits
/// has to be looked at.
async fn in_order<T>(mut steps: Vec<Step<'_, T>>) -> Vec<Result<T, tokio_postgres::Error>> {
    let mut answers: Vec<Option<Result<T, tokio_postgres::Error>>> = steps.iter().map(|_| None).collect();
    let mut next = 0;
    let mut is_begun = false;
    std::future::poll_fn(|cx| {
        let waiting = next..steps.len();
        for index in waiting {
            if answers[index].is_none() {
                if let Poll::Ready(answer) = steps[index].as_mut().poll(cx) {
                    answers[index] = Some(answer);
                } else if is_begun {
                    return Poll::Pending;
                }
            }
            if index == next && answers[index].is_some() {
                next += 1;
            }
        }
        is_begun = true;
        if next == steps.len() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// The first statement that failed or missed decides; what comes after it was done in vain.
pub(super) fn judge(batch: &[Statement], answers: Answers) -> Result<Vec<u64>, Fault> {
    let mut counts = Vec::with_capacity(batch.len());
    for (index, (statement, answer)) in batch.iter().zip(answers).enumerate() {
        let outcome = answer.map_err(|error| fault(&error));
        let missed = match &outcome {
            Ok(count) => !statement.expect.admits(*count),
            Err(fault) => matches!(fault, Fault::Final(StoreError::Conflict)),
        };
        if missed {
            tracing::debug!(index, sql = statement.sql, expected = ?statement.expect, "a batch missed");
            return Err(Fault::Final(StoreError::Conflict));
        }
        counts.push(outcome?);
    }
    Ok(counts)
}

pub(super) fn types(params: &[Value]) -> Vec<Type> {
    params.iter().map(wire::type_of).collect()
}

pub(super) fn references(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// What must not change meanwhile is guarded by the batch itself, in a row.
///
/// A session writes in a transaction that says so, and nowhere else. So when the beginning fails, what was sent behind it
/// fails too, and is not carried out piece by piece.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
