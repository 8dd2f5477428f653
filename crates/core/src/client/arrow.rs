//! Arrow's C data interface: fetched records go out as columns, columns come in to be sent.
//!
//! `abi` is the interface, `export` what consumers give, `import` what producers take, `lists` the same from lists
//! of Python. What is unsafe about it is here, and nowhere else.

pub(super) mod abi;
pub(super) mod export;
pub(super) mod import;
pub(super) mod lists;
pub(super) mod rows;
