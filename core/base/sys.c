/* SPDX-License-Identifier: MIT */
/*
 * sys.c - raw system calls, and the hook tests put in front of them
 *
 * Owns the hook and nothing else. Each wrapper states its arguments and leaves
 * the rest to sys_call(), so that a failing n-th call can be arranged for any
 * of them in one place.
 */
#include "core/base/sys.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>

#include "core/base/narrow.h"

static struct {
	sys_hook hook;
} seam;

void sys_set_hook(sys_hook hook)
{
	__atomic_store_n(&seam.hook, hook, __ATOMIC_RELEASE);
}

#if defined(__x86_64__)
static inline long enter(long nr, long a, long b, long c, long d, long e, long f)
{
	long value;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(value)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return value;
}
#elif defined(__aarch64__)
static inline long enter(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory", "cc");
	return x0;
}
#else
#error "libhresv knows the system call convention of x86-64 and aarch64"
#endif

/* Apart, so that a call without a hook saves no registers and needs no stack. */
static __attribute__((cold, noinline)) long by_hook(long nr, long a, long b, long c, long d, long e,
						    long f)
{
	const long args[6] = { a, b, c, d, e, f };
	bool handled = false;
	/* Taken away meanwhile, perhaps: a test's threads don't all end with the test. */
	const sys_hook hook = __atomic_load_n(&seam.hook, __ATOMIC_ACQUIRE);
	long value = hook ? hook(nr, args, &handled) : 0;

	return handled ? value : enter(nr, a, b, c, d, e, f);
}

long sys_call_own(long nr, long a, long b, long c, long d, long e, long f)
{
	return door_is_narrow() ? enter(nr, a, b, c, d, e, f) : sys_call(nr, a, b, c, d, e, f);
}

long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	if (__builtin_expect(__atomic_load_n(&seam.hook, __ATOMIC_RELAXED) != NULL, 0))
		return by_hook(nr, a, b, c, d, e, f);
	return enter(nr, a, b, c, d, e, f);
}

long sys_mmap(uintptr_t at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	return sys_call(SYS_mmap, (long)at, (long)bytes, prot, flags, fd, offset);
}

long sys_munmap(uintptr_t at, size_t bytes)
{
	return sys_call(SYS_munmap, (long)at, (long)bytes, 0, 0, 0, 0);
}

long sys_mremap(uintptr_t at, size_t bytes, size_t new_bytes, int flags, uintptr_t to)
{
	return sys_call(SYS_mremap, (long)at, (long)bytes, (long)new_bytes, flags, (long)to, 0);
}

long sys_mprotect(uintptr_t at, size_t bytes, int prot)
{
	return sys_call(SYS_mprotect, (long)at, (long)bytes, prot, 0, 0, 0);
}

long sys_pkey_mprotect(uintptr_t at, size_t bytes, int prot, int pkey)
{
	return sys_call(SYS_pkey_mprotect, (long)at, (long)bytes, prot, pkey, 0, 0);
}

/* Without flags the older call: mlock2 came with Linux 4.4 but may be filtered. */
long sys_mlock2(uintptr_t at, size_t bytes, unsigned flags)
{
	if (!flags)
		return sys_call(SYS_mlock, (long)at, (long)bytes, 0, 0, 0, 0);
	return sys_call(SYS_mlock2, (long)at, (long)bytes, (long)flags, 0, 0, 0);
}

long sys_munlock(uintptr_t at, size_t bytes)
{
	return sys_call(SYS_munlock, (long)at, (long)bytes, 0, 0, 0, 0);
}

long sys_madvise(uintptr_t at, size_t bytes, int advice)
{
	return sys_call(SYS_madvise, (long)at, (long)bytes, advice, 0, 0, 0);
}

long sys_mincore(uintptr_t at, size_t bytes, unsigned char *vec)
{
	return sys_call(SYS_mincore, (long)at, (long)bytes, (long)vec, 0, 0, 0);
}

long sys_shmget(int key, size_t bytes, int flags)
{
	return sys_call(SYS_shmget, key, (long)bytes, flags, 0, 0, 0);
}

long sys_shmat(int id, uintptr_t at, int flags)
{
	return sys_call(SYS_shmat, id, (long)at, flags, 0, 0, 0);
}

long sys_shmdt(uintptr_t at)
{
	return sys_call(SYS_shmdt, (long)at, 0, 0, 0, 0, 0);
}

long sys_shmctl(int id, int command, void *buf)
{
	return sys_call(SYS_shmctl, id, command, (long)buf, 0, 0, 0);
}

long sys_openat(int dir, const char *path, int flags, unsigned mode)
{
	return sys_call(SYS_openat, dir, (long)path, flags | O_CLOEXEC, mode, 0, 0);
}

long sys_close(int fd)
{
	return sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

long sys_read(int fd, void *buf, size_t bytes)
{
	return sys_call(SYS_read, fd, (long)buf, (long)bytes, 0, 0, 0);
}

long sys_write(int fd, const void *buf, size_t bytes)
{
	return sys_call(SYS_write, fd, (long)buf, (long)bytes, 0, 0, 0);
}

long sys_getdents(int fd, void *buf, size_t bytes)
{
	return sys_call(SYS_getdents64, fd, (long)buf, (long)bytes, 0, 0, 0);
}

long sys_faccessat(int dir, const char *path, int mode)
{
	return sys_call(SYS_faccessat, dir, (long)path, mode, 0, 0, 0);
}

long sys_readlinkat(int dir, const char *path, char *buf, size_t bytes)
{
	return sys_call(SYS_readlinkat, dir, (long)path, (long)buf, (long)bytes, 0, 0);
}

long sys_ftruncate(int fd, off_t bytes)
{
	return sys_call(SYS_ftruncate, fd, bytes, 0, 0, 0, 0);
}

long sys_unlinkat(int dir, const char *path, int flags)
{
	return sys_call(SYS_unlinkat, dir, (long)path, flags, 0, 0, 0);
}

long sys_flock(int fd, int operation)
{
	return sys_call(SYS_flock, fd, operation, 0, 0, 0, 0);
}

long sys_ioctl(int fd, unsigned long request, void *arg)
{
	return sys_call(SYS_ioctl, fd, (long)request, (long)arg, 0, 0, 0);
}

long sys_memfd(const char *name, unsigned flags)
{
	return sys_call(SYS_memfd_create, (long)name, flags, 0, 0, 0, 0);
}

long sys_pread(int fd, void *buf, size_t bytes, off_t offset)
{
	return sys_call(SYS_pread64, fd, (long)buf, (long)bytes, offset, 0, 0);
}

long sys_fcntl(int fd, int command, void *arg)
{
	return sys_call(SYS_fcntl, fd, command, (long)arg, 0, 0, 0);
}

long sys_pipe(int ret_fds[2])
{
	return sys_call(SYS_pipe2, (long)ret_fds, O_CLOEXEC, 0, 0, 0, 0);
}

long sys_wait_readable(int fd, int limit_ms)
{
	const struct timespec limit = { limit_ms / 1000, limit_ms % 1000 * 1000000L };
	struct pollfd on = { .fd = fd, .events = POLLIN };

	return sys_call(SYS_ppoll, (long)&on, 1, (long)&limit, 0, sizeof(uint64_t), 0);
}

long sys_fstat(int fd, struct stat *buf)
{
	return sys_call(SYS_fstat, fd, (long)buf, 0, 0, 0, 0);
}

long sys_fstatfs(int fd, struct statfs *buf)
{
	return sys_call(SYS_fstatfs, fd, (long)buf, 0, 0, 0, 0);
}

long sys_statfs(const char *path, struct statfs *buf)
{
	return sys_call(SYS_statfs, (long)path, (long)buf, 0, 0, 0, 0);
}

long sys_futex_wait(const uint32_t *word, uint32_t expected, const struct timespec *limit)
{
	return sys_call(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, expected, (long)limit, 0, 0);
}

long sys_futex_wake(const uint32_t *word, int waiters)
{
	return sys_call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, waiters, 0, 0, 0);
}

long sys_sleep_ns(long ns)
{
	const struct timespec span = { .tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L };

	return sys_call(SYS_nanosleep, (long)&span, 0, 0, 0, 0, 0);
}

uint64_t sys_now_ns(void)
{
	struct timespec now = { 0 };

	sys_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0, 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

long sys_sysinfo(struct sysinfo *buf)
{
	return sys_call(SYS_sysinfo, (long)buf, 0, 0, 0, 0, 0);
}

long sys_get_mempolicy(int *ret_mode, unsigned long *ret_nodes, unsigned long nodes_max)
{
	return sys_call(SYS_get_mempolicy, (long)ret_mode, (long)ret_nodes, (long)nodes_max, 0, 0,
			0);
}

long sys_getpid(void)
{
	return sys_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

long sys_gettid(void)
{
	return sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

long sys_sigmask(int how, const uint64_t *set, uint64_t *ret_old)
{
	return sys_call(SYS_rt_sigprocmask, how, (long)set, (long)ret_old, sizeof(*set), 0, 0);
}

#if defined(__x86_64__)
#define SA_RESTORER_FLAG 0x04000000ul

/* Debuggers and unwinders know a signal frame by exactly these two instructions. */
void sys_signal_return(void) __attribute__((visibility("hidden")));
__asm__(".text\n"
	".hidden sys_signal_return\n"
	".globl sys_signal_return\n"
	".type sys_signal_return, @function\n"
	".p2align 4\n"
	"	nop\n"
	"sys_signal_return:\n"
	"	movq $15, %rax\n"
	"	syscall\n"
	".size sys_signal_return, . - sys_signal_return\n");
#endif

long sys_sigaction(int number, const struct sys_action *action, struct sys_action *ret_old)
{
	struct sys_action with;

	if (action) {
		with = *action;
#if defined(__x86_64__)
		with.flags |= SA_RESTORER_FLAG;
		with.restorer = sys_signal_return;
#endif
	}
	return sys_call(SYS_rt_sigaction, number, action ? (long)&with : 0, (long)ret_old,
			sizeof(uint64_t), 0, 0);
}

long sys_sigqueue_self(int number, void *info)
{
	return sys_call(SYS_rt_tgsigqueueinfo, sys_getpid(), sys_gettid(), number, (long)info, 0, 0);
}

long sys_sigqueue_process(int number, void *info)
{
	return sys_call(SYS_rt_sigqueueinfo, sys_getpid(), number, (long)info, 0, 0, 0);
}
