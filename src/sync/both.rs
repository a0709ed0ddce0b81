//! Tests that are written once and run in both scopes.

/// Makes a test in each scope of functions that are generic over it.
macro_rules! in_both_scopes {
    ($($name:ident)*) => {
        mod private {
            $(#[test] fn $name() { super::$name::<$crate::sync::Private>(); })*
        }
        mod shared {
            $(#[test] fn $name() { super::$name::<$crate::sync::Shared>(); })*
        }
    };
}
pub(crate) use in_both_scopes;
