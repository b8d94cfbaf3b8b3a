//! Devices, what they told about themselves, and what they do not have.

use super::engine::{Engine, Row, Statement, Value};
use super::enrollments;
use super::query::{List, cursor, fold, is_hopeless, many, one, pattern};
use crate::app::ports::{DeviceFilter, DeviceView, Listed, Page, StoreError};
use crate::domain::Id;
use crate::domain::device::Device;
use crate::domain::inventory::{InventoryItem, MissingNode};
use crate::domain::user::normalize_name;
use crate::proto::syncml::LocUri;

pub(super) fn insert(device: &Device) -> Statement {
    Statement::one(INSERT, columns(device))
}

pub(super) fn update(device: &Device) -> Statement {
    Statement::one(UPDATE, columns(device))
}

/// One statement for each node; Windows compares nodes without case, and an older value never replaces a newer one.
pub(super) fn save_inventory(device: Id<Device>, items: &[InventoryItem]) -> impl Iterator<Item = Statement> {
    items.iter().map(move |item| {
        let params = vec![
            device.into(),
            item.loc_uri.as_str().to_lowercase().into(),
            item.loc_uri.as_str().into(),
            item.value.as_deref().into(),
            item.format.as_deref().into(),
            item.at.into(),
        ];
        Statement::at_most_one(SAVE_INVENTORY, params)
    })
}

pub(super) fn remember_missing(device: Id<Device>, node: &MissingNode) -> Statement {
    let params = vec![device.into(), node.loc_uri.as_str().into(), node.os_version.as_str().into(), node.status.into()];
    Statement::one(REMEMBER_MISSING, params)
}

pub(super) async fn find(engine: &dyn Engine, id: Id<Device>) -> Result<Option<DeviceView>, StoreError> {
    one(engine, FIND, vec![id.into()], read).await
}

pub(super) async fn list(
    engine: &dyn Engine,
    filter: &DeviceFilter,
    page: &Page,
) -> Result<Listed<DeviceView>, StoreError> {
    let query = filter.query.as_deref();
    if is_hopeless(query) {
        return Ok(Listed { items: Vec::new(), next: None });
    }
    let mut more: Vec<Value> = vec![filter.state.map(|state| state.as_str()).into(), pattern(query).into()];
    let sql = match &filter.user {
        Some(user) => {
            more.push(normalize_name(user).into());
            LIST_OF_USER
        }
        None => LIST,
    };
    let place = |view: &DeviceView| cursor(view.device.created_at, view.device.id);
    List { sql, more, read, place, page }.load(engine).await
}

pub(super) async fn inventory(engine: &dyn Engine, device: Id<Device>) -> Result<Vec<InventoryItem>, StoreError> {
    let mut items = many(engine, INVENTORY, vec![device.into()], read_item).await?;
    // Engines differ in how they order text.
    items.sort_by(|a, b| a.loc_uri.cmp(&b.loc_uri));
    Ok(items)
}

pub(super) async fn missing_nodes(engine: &dyn Engine, device: Id<Device>) -> Result<Vec<MissingNode>, StoreError> {
    many(engine, MISSING_NODES, vec![device.into()], read_missing).await
}

fn columns(device: &Device) -> Vec<Value> {
    let hw_dev_id = device.hw_dev_id.as_deref();
    vec![
        device.id.into(),
        device.name.as_str().into(),
        hw_dev_id.into(),
        format!("{}\n{}\n{}", fold(&device.name), fold(hw_dev_id.unwrap_or_default()), device.id).into(),
        device.enrollment_id.into(),
        device.linked_device_id.into(),
        device.created_at.into(),
    ]
}

/// The device's columns carry a prefix, because those of its enrollment stand beside them.
fn read(row: &Row) -> Result<DeviceView, StoreError> {
    let enrollment = enrollments::read(row)?;
    let row = row.of("devices");
    let device = Device {
        id: row.id("d_id")?,
        name: row.string("d_name")?,
        hw_dev_id: row.opt_string("d_hw_dev_id")?,
        enrollment_id: row.id("d_enrollment_id")?,
        linked_device_id: row.opt_id("d_linked_device_id")?,
        created_at: row.time("d_created_at")?,
    };
    Ok(DeviceView { device, enrollment, user: row.opt_string("u_email")? })
}

fn read_item(row: &Row) -> Result<InventoryItem, StoreError> {
    let row = row.of("inventory");
    Ok(InventoryItem {
        loc_uri: LocUri::received(row.text("loc_uri")?),
        value: row.opt_string("value")?,
        format: row.opt_string("format")?,
        at: row.time("at")?,
    })
}

fn read_missing(row: &Row) -> Result<MissingNode, StoreError> {
    let row = row.of("missing_nodes");
    Ok(MissingNode {
        loc_uri: row.string("loc_uri")?,
        os_version: row.string("os_version")?,
        status: row.number("status")?,
    })
}

const INSERT: &str = "
    INSERT INTO devices (id, name, hw_dev_id, search, enrollment_id, linked_device_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

const UPDATE: &str = "
    UPDATE devices SET name = $2, hw_dev_id = $3, search = $4, enrollment_id = $5, linked_device_id = $6,
        created_at = $7
    WHERE id = $1";

const SAVE_INVENTORY: &str = "
    INSERT INTO inventory (device_id, node_key, loc_uri, value, format, at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (device_id, node_key) DO UPDATE SET
        loc_uri = excluded.loc_uri, value = excluded.value, format = excluded.format, at = excluded.at
    WHERE inventory.at <= excluded.at";

const REMEMBER_MISSING: &str = "
    INSERT INTO missing_nodes (device_id, loc_uri, os_version, status) VALUES ($1, $2, $3, $4)
    ON CONFLICT (device_id, loc_uri) DO UPDATE SET os_version = excluded.os_version, status = excluded.status";

pub(super) const FIND: &str = "
    SELECT d.id AS d_id, d.name AS d_name, d.hw_dev_id AS d_hw_dev_id, d.enrollment_id AS d_enrollment_id,
        d.linked_device_id AS d_linked_device_id, d.created_at AS d_created_at, u.email AS u_email, e.*
    FROM devices d
    JOIN enrollments e ON e.id = d.enrollment_id
    LEFT JOIN users u ON u.id = e.user_id
    WHERE d.id = $1";

pub(super) const LIST: &str = "
    SELECT d.id AS d_id, d.name AS d_name, d.hw_dev_id AS d_hw_dev_id, d.enrollment_id AS d_enrollment_id,
        d.linked_device_id AS d_linked_device_id, d.created_at AS d_created_at, u.email AS u_email, e.*
    FROM devices d
    JOIN enrollments e ON e.id = d.enrollment_id
    LEFT JOIN users u ON u.id = e.user_id
    WHERE (d.created_at, d.id) < ($1, $2)
        AND (CAST($4 AS TEXT) IS NULL OR e.state = $4)
        AND (d.search LIKE $5 ESCAPE '!' OR u.email_search LIKE $5 ESCAPE '!' OR e.id LIKE $5 ESCAPE '!')
    ORDER BY d.created_at DESC, d.id DESC LIMIT $3";

pub(super) const LIST_OF_USER: &str = "
    SELECT d.id AS d_id, d.name AS d_name, d.hw_dev_id AS d_hw_dev_id, d.enrollment_id AS d_enrollment_id,
        d.linked_device_id AS d_linked_device_id, d.created_at AS d_created_at, u.email AS u_email, e.*
    FROM users u
    JOIN enrollments e ON e.user_id = u.id
    JOIN devices d ON d.enrollment_id = e.id
    WHERE u.email_key = $6 AND (d.created_at, d.id) < ($1, $2)
        AND (CAST($4 AS TEXT) IS NULL OR e.state = $4)
        AND (d.search LIKE $5 ESCAPE '!' OR u.email_search LIKE $5 ESCAPE '!' OR e.id LIKE $5 ESCAPE '!')
    ORDER BY d.created_at DESC, d.id DESC LIMIT $3";

pub(super) const INVENTORY: &str = "SELECT * FROM inventory WHERE device_id = $1";

pub(super) const MISSING_NODES: &str = "SELECT * FROM missing_nodes WHERE device_id = $1 ORDER BY loc_uri";
