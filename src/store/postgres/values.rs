//! Values to and from the server. Each goes with its type, because statements are unnamed (tx.rs).

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::tx::Fault;
use crate::alert::Timestamp;
use crate::store::StoreError;

/// The values of a statement.
pub(super) type Values<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// A value with a PostgreSQL type.
pub(super) trait Typed: ToSql + Sync {
    /// Its type.
    const TYPE: Type;
    /// The type of an array of it.
    const ARRAY: Type;
}

macro_rules! typed {
    ($($rust:ty: $one:ident, $many:ident;)*) => {
        $(impl Typed for $rust {
            const TYPE: Type = Type::$one;
            const ARRAY: Type = Type::$many;
        })*
    };
}

typed! {
    i64: INT8, INT8_ARRAY;
    bool: BOOL, BOOL_ARRAY;
    String: TEXT, TEXT_ARRAY;
    &str: TEXT, TEXT_ARRAY;
    &[u8]: BYTEA, BYTEA_ARRAY;
    Vec<u8>: BYTEA, BYTEA_ARRAY;
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = T::TYPE;
    const ARRAY: Type = T::ARRAY;
}

/// The type of a value.
pub(super) const fn one<T: Typed>(_: &T) -> Type {
    T::TYPE
}

/// The type of an array.
pub(super) const fn many<T: Typed>(_: &[T]) -> Type {
    T::ARRAY
}

/// The values of a statement, in the order of `$1`, `$2`, …; those after a semicolon are arrays.
macro_rules! values {
    ($($value:expr),* $(; $($array:expr),*)? $(,)?) => {
        &[
            $((&$value as &(dyn tokio_postgres::types::ToSql + Sync), $crate::store::postgres::values::one(&$value)),)*
            $($((&$array as &(dyn tokio_postgres::types::ToSql + Sync), $crate::store::postgres::values::many(&$array)),)*)?
        ]
    };
}
pub(super) use values;

/// A column with a nullable time.
pub(super) fn time(row: &Row, column: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// A column with a time.
pub(super) fn moment(row: &Row, column: usize) -> Result<Timestamp, Fault> {
    Ok(Timestamp(row.try_get(column)?))
}

/// A column with a small number.
pub(super) fn small<T: TryFrom<i64>>(row: &Row, column: usize) -> Result<T, Fault> {
    let number: i64 = row.try_get(column)?;
    T::try_from(number).map_err(|_| StoreError::bug(format!("column {column} holds {number}")).into())
}

/// A column with a name from a closed set.
pub(super) fn named<T>(row: &Row, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
    let name: &str = row.try_get(column)?;
    parse(name).ok_or_else(|| StoreError::bug(format!("`{name}` is not a name this program knows")).into())
}
