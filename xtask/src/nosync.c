/* The control of `cargo xtask powercut`: a library to preload in which no sync does anything. */
int fsync(int fd) { (void)fd; return 0; }
int fdatasync(int fd) { (void)fd; return 0; }
int syncfs(int fd) { (void)fd; return 0; }
int sync_file_range(int fd, long offset, long bytes, unsigned flags) {
    (void)fd; (void)offset; (void)bytes; (void)flags; return 0;
}
