/*
 * The functions that can fail, by name.
 *
 *   FAILS(type, name, what it returns then, (parameters), (arguments))
 *   GIVES(type, name, (parameters), (arguments))  returns -errno instead
 *
 * Those that need more than that are written out in inject_wrap.c.
 */

/* Memory */
FAILS(void *, malloc, NULL, (size_t a), (a))
FAILS(void *, calloc, NULL, (size_t a, size_t b), (a, b))
FAILS(void *, realloc, NULL, (void *a, size_t b), (a, b))
FAILS(void *, reallocarray, NULL, (void *a, size_t b, size_t c), (a, b, c))
FAILS(void *, aligned_alloc, NULL, (size_t a, size_t b), (a, b))
FAILS(char *, strdup, NULL, (const char *a), (a))
FAILS(char *, strndup, NULL, (const char *a, size_t b), (a, b))
FAILS(void *, mmap, MAP_FAILED,
      (void *a, size_t b, int c, int d, int e, off_t f), (a, b, c, d, e, f))
FAILS(int, madvise, -1, (void *a, size_t b, int c), (a, b, c))

/* Descriptors */
FAILS(int, socket, -1, (int a, int b, int c), (a, b, c))
FAILS(int, socketpair, -1, (int a, int b, int c, int *d), (a, b, c, d))
FAILS(int, accept4, -1,
      (int a, struct sockaddr *b, socklen_t *c, int d), (a, b, c, d))
FAILS(int, eventfd, -1, (unsigned a, int b), (a, b))
FAILS(int, signalfd, -1, (int a, const sigset_t *b, int c), (a, b, c))
FAILS(int, timerfd_create, -1, (clockid_t a, int b), (a, b))
FAILS(int, inotify_init1, -1, (int a), (a))
FAILS(int, epoll_create1, -1, (int a), (a))
FAILS(int, pipe, -1, (int *a), (a))
FAILS(int, pipe2, -1, (int *a, int b), (a, b))
FAILS(int, dup, -1, (int a), (a))
FAILS(int, dup2, -1, (int a, int b), (a, b))
FAILS(int, dup3, -1, (int a, int b, int c), (a, b, c))
FAILS(int, memfd_create, -1, (const char *a, unsigned b), (a, b))
FAILS(DIR *, opendir, NULL, (const char *a), (a))
FAILS(DIR *, fdopendir, NULL, (int a), (a))
FAILS(FILE *, fopen, NULL, (const char *a, const char *b), (a, b))
FAILS(FILE *, fdopen, NULL, (int a, const char *b), (a, b))
FAILS(FILE *, open_memstream, NULL, (char **a, size_t *b), (a, b))
FAILS(FILE *, fmemopen, NULL, (void *a, size_t b, const char *c), (a, b, c))

/* Sockets */
FAILS(int, bind, -1, (int a, const struct sockaddr *b, socklen_t c), (a, b, c))
FAILS(int, connect, -1,
      (int a, const struct sockaddr *b, socklen_t c), (a, b, c))
FAILS(int, listen, -1, (int a, int b), (a, b))
FAILS(int, shutdown, -1, (int a, int b), (a, b))
FAILS(int, getsockname, -1,
      (int a, struct sockaddr *b, socklen_t *c), (a, b, c))
FAILS(int, getpeername, -1,
      (int a, struct sockaddr *b, socklen_t *c), (a, b, c))
FAILS(int, getsockopt, -1,
      (int a, int b, int c, void *d, socklen_t *e), (a, b, c, d, e))
FAILS(int, setsockopt, -1,
      (int a, int b, int c, const void *d, socklen_t e), (a, b, c, d, e))
FAILS(int, poll, -1, (struct pollfd *a, nfds_t b, int c), (a, b, c))

/* Files */
FAILS(int, access, -1, (const char *a, int b), (a, b))
FAILS(int, chdir, -1, (const char *a), (a))
FAILS(int, fchdir, -1, (int a), (a))
FAILS(int, chroot, -1, (const char *a), (a))
FAILS(int, chmod, -1, (const char *a, mode_t b), (a, b))
FAILS(int, fchmod, -1, (int a, mode_t b), (a, b))
FAILS(int, fchmodat, -1, (int a, const char *b, mode_t c, int d), (a, b, c, d))
FAILS(int, chown, -1, (const char *a, uid_t b, gid_t c), (a, b, c))
FAILS(int, lchown, -1, (const char *a, uid_t b, gid_t c), (a, b, c))
FAILS(int, fchown, -1, (int a, uid_t b, gid_t c), (a, b, c))
FAILS(int, fchownat, -1,
      (int a, const char *b, uid_t c, gid_t d, int e), (a, b, c, d, e))
FAILS(int, stat, -1, (const char *a, struct stat *b), (a, b))
FAILS(int, lstat, -1, (const char *a, struct stat *b), (a, b))
FAILS(int, fstat, -1, (int a, struct stat *b), (a, b))
FAILS(int, fstatat, -1,
      (int a, const char *b, struct stat *c, int d), (a, b, c, d))
FAILS(int, mkdir, -1, (const char *a, mode_t b), (a, b))
FAILS(int, mkdirat, -1, (int a, const char *b, mode_t c), (a, b, c))
FAILS(int, rmdir, -1, (const char *a), (a))
FAILS(int, unlink, -1, (const char *a), (a))
FAILS(int, unlinkat, -1, (int a, const char *b, int c), (a, b, c))
FAILS(int, rename, -1, (const char *a, const char *b), (a, b))
FAILS(int, renameat, -1,
      (int a, const char *b, int c, const char *d), (a, b, c, d))
FAILS(int, flock, -1, (int a, int b), (a, b))
FAILS(int, ftruncate, -1, (int a, off_t b), (a, b))
FAILS(int, fsync, -1, (int a), (a))
FAILS(int, fdatasync, -1, (int a), (a))
FAILS(char *, realpath, NULL, (const char *a, char *b), (a, b))
FAILS(ssize_t, readlink, -1, (const char *a, char *b, size_t c), (a, b, c))
FAILS(char *, getcwd, NULL, (char *a, size_t b), (a, b))
FAILS(struct dirent *, readdir, NULL, (DIR *a), (a))
FAILS(int, inotify_add_watch, -1, (int a, const char *b, uint32_t c), (a, b, c))
FAILS(int, mount, -1,
      (const char *a, const char *b, const char *c, unsigned long d, const void *e), (a, b, c, d, e))
FAILS(int, umount2, -1, (const char *a, int b), (a, b))

/* Processes, users, limits, time */
FAILS(pid_t, fork, -1, (void), ())
FAILS(pid_t, setsid, -1, (void), ())
FAILS(pid_t, waitpid, -1, (pid_t a, int *b, int c), (a, b, c))
FAILS(int, kill, -1, (pid_t a, int b), (a, b))
FAILS(int, execv, -1, (const char *a, char *const *b), (a, b))
FAILS(int, execve, -1, (const char *a, char *const *b, char *const *c), (a, b, c))
FAILS(int, fexecve, -1, (int a, char *const *b, char *const *c), (a, b, c))
FAILS(int, unshare, -1, (int a), (a))
FAILS(int, setns, -1, (int a, int b), (a, b))
FAILS(int, setuid, -1, (uid_t a), (a))
FAILS(int, setgid, -1, (gid_t a), (a))
FAILS(int, setresuid, -1, (uid_t a, uid_t b, uid_t c), (a, b, c))
FAILS(int, setresgid, -1, (gid_t a, gid_t b, gid_t c), (a, b, c))
FAILS(int, setgroups, -1, (size_t a, const gid_t *b), (a, b))
FAILS(int, initgroups, -1, (const char *a, gid_t b), (a, b))
FAILS(struct passwd *, getpwnam, NULL, (const char *a), (a))
FAILS(struct passwd *, getpwuid, NULL, (uid_t a), (a))
FAILS(struct group *, getgrnam, NULL, (const char *a), (a))
FAILS(int, getrlimit, -1, (__rlimit_resource_t a, struct rlimit *b), (a, b))
FAILS(int, setrlimit, -1,
      (__rlimit_resource_t a, const struct rlimit *b), (a, b))
FAILS(int, setenv, -1, (const char *a, const char *b, int c), (a, b, c))
FAILS(int, unsetenv, -1, (const char *a), (a))
FAILS(int, sigprocmask, -1, (int a, const sigset_t *b, sigset_t *c), (a, b, c))
FAILS(ssize_t, getrandom, -1, (void *a, size_t b, unsigned c), (a, b, c))
FAILS(int, nanosleep, -1,
      (const struct timespec *a, struct timespec *b), (a, b))
FAILS(int, timerfd_settime, -1,
      (int a, int b, const struct itimerspec *c, struct itimerspec *d), (a, b, c, d))
FAILS(int, epoll_ctl, -1,
      (int a, int b, int c, struct epoll_event *d), (a, b, c, d))
FAILS(int, eventfd_read, -1, (int a, eventfd_t *b), (a, b))
FAILS(int, eventfd_write, -1, (int a, eventfd_t b), (a, b))
FAILS(long, sysconf, -1, (int a), (a))
FAILS(unsigned, if_nametoindex, 0, (const char *a), (a))
FAILS(char *, if_indextoname, NULL, (unsigned a, char *b), (a, b))

/* The ring: liburing returns -errno */
GIVES(int, io_uring_queue_init_params,
      (unsigned a, struct io_uring *b, struct io_uring_params *c), (a, b, c))
GIVES(int, io_uring_register_ring_fd, (struct io_uring *a), (a))
GIVES(int, io_uring_register_buf_ring,
      (struct io_uring *a, struct io_uring_buf_reg *b, unsigned c), (a, b, c))
GIVES(int, io_uring_unregister_buf_ring, (struct io_uring *a, int b), (a, b))
GIVES(int, io_uring_register_files_sparse, (struct io_uring *a, unsigned b), (a, b))
GIVES(int, io_uring_register_personality, (struct io_uring *a), (a))
GIVES(int, io_uring_register_files_update,
      (struct io_uring *a, unsigned b, int *c, unsigned d), (a, b, c, d))
FAILS(struct io_uring_probe *, io_uring_get_probe_ring, NULL,
      (struct io_uring *a), (a))

/* libsystemd and libbpf return -errno, too */
GIVES(int, sd_notify, (int a, const char *b), (a, b))
GIVES(int, sd_watchdog_enabled, (int a, uint64_t *b), (a, b))
GIVES(int, sd_listen_fds_with_names, (int a, char ***b), (a, b))
GIVES(int, bpf_object__load, (struct bpf_object *a), (a))
FAILS(struct bpf_object *, bpf_object__open_mem, NULL,
      (const void *a, size_t b, const struct bpf_object_open_opts *c), (a, b, c))
GIVES(int, bpf_object__load_skeleton, (struct bpf_object_skeleton *a), (a))
GIVES(int, bpf_object__open_skeleton,
      (struct bpf_object_skeleton *a, const struct bpf_object_open_opts *b), (a, b))
GIVES(int, bpf_map__set_max_entries, (struct bpf_map *a, uint32_t b), (a, b))
GIVES(int, bpf_link_create,
      (int a, int b, enum bpf_attach_type c, const struct bpf_link_create_opts *d), (a, b, c, d))
GIVES(int, bpf_xdp_query_id, (int a, int b, uint32_t *c), (a, b, c))
FAILS(struct ring_buffer *, ring_buffer__new, NULL,
      (int a, ring_buffer_sample_fn b, void *c, const struct ring_buffer_opts *d), (a, b, c, d))
GIVES(int, ring_buffer__consume, (struct ring_buffer *a), (a))

/* libpcap, libmicrohttpd, libbsd */
FAILS(pcap_t *, pcap_open_dead, NULL, (int a, int b), (a, b))
FAILS(struct MHD_Response *, MHD_create_response_from_buffer, NULL,
      (size_t a, void *b, enum MHD_ResponseMemoryMode c), (a, b, c))
FAILS(struct MHD_Response *, MHD_create_response_from_callback, NULL,
      (uint64_t a, size_t b, MHD_ContentReaderCallback c, void *d, MHD_ContentReaderFreeCallback e), (a, b, c, d, e))
FAILS(enum MHD_Result, MHD_add_response_header, MHD_NO,
      (struct MHD_Response *a, const char *b, const char *c), (a, b, c))
FAILS(enum MHD_Result, MHD_queue_response, MHD_NO,
      (struct MHD_Connection *a, unsigned b, struct MHD_Response *c), (a, b, c))
FAILS(struct pidfh *, pidfile_open, NULL,
      (const char *a, mode_t b, pid_t *c), (a, b, c))
FAILS(int, pidfile_write, -1, (struct pidfh *a), (a))

/* libcap-ng and libseccomp */
FAILS(int, capng_get_caps_process, -1, (void), ())
FAILS(int, capng_apply, -1, (capng_select_t a), (a))
FAILS(scmp_filter_ctx, seccomp_init, NULL, (uint32_t a), (a))
GIVES(int, seccomp_load, (const scmp_filter_ctx a), (a))
GIVES(int, seccomp_rule_add_array,
      (scmp_filter_ctx a, uint32_t b, int c, unsigned d, const struct scmp_arg_cmp *e), (a, b, c, d, e))
