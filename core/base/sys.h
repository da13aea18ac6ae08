/* SPDX-License-Identifier: MIT */
/*
 * sys.h - the one door to the kernel
 *
 * Every system call libhresv makes goes through here and comes back as a value
 * or -errno; errno itself is never read or written. The calls are raw, so they
 * work before libc is initialised, inside malloc, between fork and exec and in
 * a signal handler, and they are no cancellation points.
 *
 * Tests put a hook in front of the door (sys_set_hook) and decide the result
 * of any call; without a hook the price is one predicted branch.
 */
#ifndef HRESV_CORE_BASE_SYS_H
#define HRESV_CORE_BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/*
 * A hook sees the call's number and arguments. Setting *ret_handled makes its
 * return value the call's; else the call goes on to the kernel.
 */
typedef long (*sys_hook)(long nr, const long args[6], bool *ret_handled);

void sys_set_hook(sys_hook hook);

/* The call itself, whatever its number: a value, or -errno. */
long sys_call(long nr, long a, long b, long c, long d, long e, long f);

/* The program's own call, made for it: no business of a narrow door (narrow.h). */
long sys_call_own(long nr, long a, long b, long c, long d, long e, long f);

/* True when @value is an errno in disguise, as the kernel returns them. */
static inline bool sys_failed(long value)
{
	return (unsigned long)value > -4096UL;
}

/* Memory. Addresses come back as long; test them with sys_failed(). */
long sys_mmap(uintptr_t at, size_t bytes, int prot, int flags, int fd, off_t offset);
long sys_munmap(uintptr_t at, size_t bytes);
long sys_mremap(uintptr_t at, size_t bytes, size_t new_bytes, int flags, uintptr_t to);
long sys_mprotect(uintptr_t at, size_t bytes, int prot);
long sys_pkey_mprotect(uintptr_t at, size_t bytes, int prot, int pkey);
long sys_mlock2(uintptr_t at, size_t bytes, unsigned flags);
long sys_munlock(uintptr_t at, size_t bytes);
long sys_madvise(uintptr_t at, size_t bytes, int advice);
long sys_mincore(uintptr_t at, size_t bytes, unsigned char *vec);

/* System V segments. */
long sys_shmget(int key, size_t bytes, int flags);
long sys_shmat(int id, uintptr_t at, int flags);
long sys_shmdt(uintptr_t at);
long sys_shmctl(int id, int command, void *buf);

/* Files. Every descriptor is opened close-on-exec. */
long sys_openat(int dir, const char *path, int flags, unsigned mode);
long sys_close(int fd);
long sys_read(int fd, void *buf, size_t bytes);
long sys_write(int fd, const void *buf, size_t bytes);
long sys_getdents(int fd, void *buf, size_t bytes);
long sys_faccessat(int dir, const char *path, int mode);
long sys_readlinkat(int dir, const char *path, char *buf, size_t bytes);
long sys_ftruncate(int fd, off_t bytes);
long sys_unlinkat(int dir, const char *path, int flags);
long sys_flock(int fd, int operation);
long sys_ioctl(int fd, unsigned long request, void *arg);
long sys_memfd(const char *name, unsigned flags);
long sys_pread(int fd, void *buf, size_t bytes, off_t offset);
long sys_fcntl(int fd, int command, void *arg);
long sys_pipe(int ret_fds[2]);		/* close-on-exec */
long sys_wait_readable(int fd, int limit_ms);	/* poll(2): 1, 0 or -errno */

struct stat;
long sys_fstat(int fd, struct stat *buf);

struct statfs;
long sys_fstatfs(int fd, struct statfs *buf);
long sys_statfs(const char *path, struct statfs *buf);

/* Waiting. sys_futex_wait returns at once when *word is not @expected. */
long sys_futex_wait(const uint32_t *word, uint32_t expected, const struct timespec *limit);
long sys_futex_wake(const uint32_t *word, int waiters);
long sys_sleep_ns(long ns);
uint64_t sys_now_ns(void);

/* Ourselves and the machine. */
struct sysinfo;
long sys_sysinfo(struct sysinfo *buf);
long sys_get_mempolicy(int *ret_mode, unsigned long *ret_nodes, unsigned long nodes_max);
long sys_getpid(void);
long sys_gettid(void);
long sys_sigmask(int how, const uint64_t *set, uint64_t *ret_old);

/* As the kernel keeps it. The way back from a handler is added by sys_sigaction. */
struct sys_action {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
long sys_sigaction(int number, const struct sys_action *action, struct sys_action *ret_old);

/* Sends @info, a siginfo_t, to the calling thread itself. */
long sys_sigqueue_self(int number, void *info);
/* The same to the process: whichever thread has it unblocked. */
long sys_sigqueue_process(int number, void *info);

#endif
