//! Runs the kernels on gristmill and on its peers, side by side.
