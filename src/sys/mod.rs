//! Every system call: nothing above this floor calls the C library.

pub(crate) mod affinity;
