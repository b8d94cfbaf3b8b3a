//! What is known of nodes: an imported catalogue, decisions, answers of devices.

use super::Ground;
use super::fixtures::{at, first, id, ids, walk};
use crate::app::ports::{CSP_CHANGE, Expired, Store, StoreError, Write};
use crate::domain::csp::{CspList, ImportedCatalogue, NodeAnswer, NodeOverride, Ruling};
use crate::proto::csp::catalogue::{Allowed, Build, Domain};
use crate::proto::syncml::Verb;

pub(super) async fn run(make: &impl AsyncFn() -> Ground) {
    one_catalogue_counts(&make().await).await;
    a_scope_is_decided_once(&make().await).await;
    answers_add_up(&make().await).await;
    lists_of_csps_are_the_newest(&make().await).await;
}

fn catalogue(number: u128) -> ImportedCatalogue {
    ImportedCatalogue {
        id: id(number),
        version: format!("drop {number}"),
        nodes: 7,
        imported_at: at(5),
        imported_by: "root@example.test".to_owned(),
        file: vec![0, 1, 255, u8::try_from(number).unwrap()],
    }
}

async fn one_catalogue_counts(Ground { store, .. }: &Ground) {
    assert_eq!(store.imported_catalogue().await.unwrap(), None);
    for number in [1, 2] {
        let writes =
            vec![Write::SaveCatalogue(Box::new(catalogue(number))), Write::MarkCspChange(format!("mark {number}"))];
        store.commit(writes).await.unwrap();
        assert_eq!(store.imported_catalogue().await.unwrap(), Some(catalogue(number)));
        assert_eq!(store.setting(CSP_CHANGE).await.unwrap(), Some(format!("mark {number}")));
    }
    store.commit(vec![Write::DeleteCatalogue]).await.unwrap();
    assert_eq!(store.imported_catalogue().await.unwrap(), None);
    assert!(matches!(store.commit(vec![Write::DeleteCatalogue]).await, Err(StoreError::Conflict)));
}

fn decided(number: u128, path: &str, ruling: Ruling) -> NodeOverride {
    NodeOverride {
        id: id(number),
        path: path.to_owned(),
        edition: Some(0x30),
        from_build: Build::parse("10.0.22621.100"),
        ruling,
        reason: "tried here; it's 100% fine".to_owned(),
        made_by: "root@example.test".to_owned(),
        made_at: at(i64::try_from(number).unwrap()),
    }
}

async fn a_scope_is_decided_once(Ground { store, .. }: &Ground) {
    let values =
        Ruling::Values(Allowed { domain: Domain::Enum(vec!["a'b".into(), "é".into()]), list: Some(";".into()) });
    let all = [
        decided(1, "./Vendor/MSFT/A", Ruling::Allow),
        decided(2, "./Vendor/MSFT/B/*", values),
        NodeOverride { edition: None, from_build: None, ..decided(3, "./Vendor/MSFT/A", Ruling::Refuse) },
    ];
    for one in &all {
        store.commit(vec![Write::SaveOverride(Box::new(one.clone()))]).await.unwrap();
    }
    let mut read = store.all_node_overrides().await.unwrap();
    read.reverse();
    assert_eq!(read, all);
    let listed = walk(1, async |page| store.node_overrides(&page).await, |one| one.id.to_string()).await;
    assert_eq!(listed, ids([3, 2, 1]));
    // The same scope in its other spelling: the id stays.
    let again = decided(9, "./Device/Vendor/MSFT/A", Ruling::Refuse);
    store.commit(vec![Write::SaveOverride(Box::new(again.clone()))]).await.unwrap();
    let read = store.all_node_overrides().await.unwrap();
    assert_eq!(read.len(), 3);
    assert_eq!(read[0], NodeOverride { id: id(1), ..again });
    store.commit(vec![Write::DeleteOverride(id(1))]).await.unwrap();
    assert!(matches!(store.commit(vec![Write::DeleteOverride(id(1))]).await, Err(StoreError::Conflict)));
    assert_eq!(store.node_overrides(&first(9)).await.unwrap().items.len(), 2);
}

fn answer(path: &str, status: u16, revision: u32, when: i64) -> NodeAnswer {
    NodeAnswer {
        build: 22_631,
        edition: 0x30,
        path: path.to_owned(),
        verb: Verb::Exec,
        status,
        answers: 2,
        first_revision: revision,
        last_revision: revision,
        last_at: at(when),
    }
}

async fn answers_add_up(Ground { store, .. }: &Ground) {
    let lock = "./Device/Vendor/MSFT/RemoteLock/Lock";
    let count = async |answers: Vec<NodeAnswer>| store.commit(vec![Write::CountAnswers(answers)]).await.unwrap();
    count(vec![answer(lock, 200, 4000, 10), answer(lock, 404, 4000, 10), answer("./DevInfo/Mod", 200, 1, 10)]).await;
    count(vec![answer(lock, 200, 3000, 5)]).await;
    count(vec![answer(lock, 200, 5000, 7), NodeAnswer { edition: 4, ..answer(lock, 200, 9, 9) }]).await;
    let of_build = store.node_answers(22_631, 0x30).await.unwrap();
    assert_eq!(of_build.len(), 3, "{of_build:?}");
    let works = of_build.iter().find(|one| one.path == lock && one.status == 200).unwrap();
    let sum = NodeAnswer { answers: 6, first_revision: 3000, last_revision: 5000, ..answer(lock, 200, 0, 10) };
    assert_eq!(*works, sum);
    assert_eq!(store.answers_of_node(lock).await.unwrap().len(), 3);
    assert!(store.node_answers(22_621, 0x30).await.unwrap().is_empty());
    store.commit(vec![Write::Prune { what: Expired::NodeAnswers, before: at(10), limit: 9 }]).await.unwrap();
    assert_eq!(store.answers_of_node(lock).await.unwrap().len(), 2, "what is used stays");
    store.commit(vec![Write::Prune { what: Expired::NodeAnswers, before: at(11), limit: 2 }]).await.unwrap();
    let left =
        store.answers_of_node(lock).await.unwrap().len() + store.answers_of_node("./DevInfo/Mod").await.unwrap().len();
    assert_eq!(left, 1, "in portions");
}

async fn lists_of_csps_are_the_newest(Ground { store, .. }: &Ground) {
    let list = |revision, version: &str, when| CspList {
        build: 22_631,
        edition: 0x30,
        revision,
        csps: vec![("./Vendor/MSFT/LAPS".to_owned(), version.to_owned())],
        last_at: at(when),
    };
    for (revision, version, when) in [(10, "1.0", 10), (30, "1.2", 30), (20, "1.1", 20)] {
        store.commit(vec![Write::SaveCsps(list(revision, version, when))]).await.unwrap();
    }
    assert_eq!(store.csp_lists().await.unwrap(), [list(30, "1.2", 30)]);
}
