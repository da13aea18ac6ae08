/* SPDX-License-Identifier: MIT */
/*
 * inject.c - libhresv-faults.so: all that libhresv.so is, with a system call that fails
 *
 * HRESV_FAULT=N:CALL:ERRNO fails, in every process of the tree, the first call of number
 * CALL from its N-th call on; HRESV_FAULT=all:CALL:ERRNO each call of that number. A
 * process counts from its exec; a forked child goes on counting. HRESV_FAULT_LOG names
 * a file: without HRESV_FAULT each call becomes a line in it, else each failure: the
 * call's number and place among all, what it may answer, who called. faults.py drives
 * it. Linked for tests alone; nothing of it is in the library.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/base/sys.h"

#define SITE_WORDS 48
#define SITE_DEPTH 6

static struct {
	bool logs, all;
	long nth, nr, err;
	char log[256];
	_Atomic long seen;
	_Atomic bool fired;
} fault;

/*
 * What a call may answer, whatever it was asked: the manual's list, without what speaks
 * of wrong arguments, and with what a filter (seccomp) or an older kernel says.
 */
#define ERRORS_MOST 6
static const struct {
	long nr;
	short err[ERRORS_MOST];
} may_answer[] = {
	{ SYS_mmap, { ENOMEM, EAGAIN, EPERM } },
	{ SYS_munmap, { ENOMEM } },
	{ SYS_mremap, { ENOMEM, EAGAIN } },
	{ SYS_mprotect, { ENOMEM, EACCES } },
	{ SYS_pkey_mprotect, { ENOMEM, EACCES, ENOSYS } },
	{ SYS_madvise, { ENOMEM, EAGAIN, EINVAL, EFAULT } },
	{ SYS_mincore, { EAGAIN, ENOMEM } },
	{ SYS_mlock, { ENOMEM, EAGAIN, EPERM } },
	{ SYS_mlock2, { ENOMEM, EAGAIN, EPERM, ENOSYS } },
	{ SYS_shmget, { ENOMEM, ENOSPC, EPERM, ENOSYS } },
	{ SYS_shmat, { ENOMEM, EACCES } },
	{ SYS_shmctl, { EPERM, EACCES, EIDRM } },
	{ SYS_openat, { EMFILE, ENFILE, EACCES, ENOENT, ENOMEM } },
	{ SYS_close, { EINTR, EIO } },
	{ SYS_read, { EINTR, EIO, ENOMEM } },
	{ SYS_pread64, { EINTR, EIO, ENOMEM } },
	{ SYS_write, { EINTR, ENOSPC, EIO, EPIPE } },
	{ SYS_getdents64, { ENOMEM } },
	{ SYS_readlinkat, { EACCES, ENOENT, ENOMEM } },
	{ SYS_faccessat, { EACCES, ENOENT } },
	{ SYS_ftruncate, { EINTR, ENOSPC, EPERM } },
	{ SYS_flock, { EINTR, ENOLCK, EWOULDBLOCK } },
	{ SYS_fcntl, { EAGAIN, EMFILE, ENOLCK, EINTR } },
	{ SYS_fstat, { ENOMEM } },
	{ SYS_fstatfs, { ENOSYS, EINTR } },
	{ SYS_statfs, { EACCES, ENOSYS, ENOENT } },
	{ SYS_ioctl, { ENOMEM, EINVAL, EAGAIN, EPERM } },
	{ SYS_memfd_create, { EMFILE, ENOMEM, ENOSYS, EPERM } },
	{ SYS_pipe2, { EMFILE, ENFILE } },
	{ SYS_ppoll, { EINTR, ENOMEM } },
	{ SYS_userfaultfd, { EPERM, ENOSYS, EMFILE, ENOMEM } },
	{ SYS_clone, { EAGAIN, ENOMEM, EPERM } },
	{ SYS_clone3, { EAGAIN, ENOMEM, ENOSYS } },
	{ SYS_execve, { ENOMEM, EACCES } },
	{ SYS_shmdt, { 0 } },
	{ SYS_munlock, { ENOMEM } },
	{ SYS_prctl, { EINVAL } },
	{ SYS_futex, { EINTR, EAGAIN } },
	{ SYS_nanosleep, { EINTR } },
	{ SYS_process_vm_readv, { EPERM, ENOSYS, ENOMEM } },
	{ SYS_rt_sigaction, { 0 } },
	{ SYS_rt_tgsigqueueinfo, { EAGAIN, EPERM } },
	{ SYS_rt_sigqueueinfo, { EAGAIN, EPERM } },
	{ SYS_rt_sigprocmask, { 0 } },
	{ SYS_clock_gettime, { 0 } },
	{ SYS_getpid, { 0 } },
	{ SYS_gettid, { 0 } },
};
static const short else_answers[ERRORS_MOST] = { EPERM, ENOSYS };

static __thread bool inside __attribute__((tls_model("initial-exec")));

extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern char etext[] __attribute__((visibility("hidden")));

static char *put_hex(char *to, uintptr_t value)
{
	int digits = 1;

	while (digits < 16 && value >> 4 * digits)
		digits++;
	while (digits--)
		*to++ = "0123456789abcdef"[value >> 4 * digits & 15];
	return to;
}

static const short *answers_of(long nr)
{
	for (size_t i = 0; i < sizeof(may_answer) / sizeof(may_answer[0]); i++)
		if (may_answer[i].nr == nr)
			return may_answer[i].err;
	return else_answers;
}

/* " c,4,d": none is "-". */
static char *put_answers(char *to, long nr)
{
	const short *err = answers_of(nr);

	*to++ = ' ';
	if (!*err)
		*to++ = '-';
	for (int i = 0; i < ERRORS_MOST && err[i]; i++) {
		if (i)
			*to++ = ',';
		to = put_hex(to, (uintptr_t)err[i]);
	}
	return to;
}

/* Words on the stack that point into our text: who called whom, roughly. */
static char *put_site(char *to)
{
	const uintptr_t *stack = __builtin_frame_address(0);
	const uintptr_t lo = (uintptr_t)__ehdr_start, hi = (uintptr_t)etext;

	for (int i = 0, depth = 0; i < SITE_WORDS && depth < SITE_DEPTH; i++)
		if (stack[i] > lo && stack[i] < hi) {
			*to++ = depth++ ? ',' : ' ';
			to = put_hex(to, stack[i] - lo);
		}
	return to;
}

static void note(long nr, long place)
{
	char line[256], *to = put_hex(line, (uintptr_t)nr);
	long fd;

	*to++ = ' ';
	to = put_hex(to, (uintptr_t)place);
	to = put_answers(to, nr);
	to = put_site(to);
	*to++ = '\n';
	inside = true;
	fd = sys_openat(AT_FDCWD, fault.log, O_WRONLY | O_APPEND, 0);
	if (!sys_failed(fd)) {
		sys_write((int)fd, line, (size_t)(to - line));
		sys_close((int)fd);
	}
	inside = false;
}

static bool is_due(long nr, long place)
{
	if (nr != fault.nr)
		return false;
	return fault.all || (place >= fault.nth && !atomic_exchange(&fault.fired, true));
}

static long hook(long nr, const long args[6], bool *ret_handled)
{
	const long place = inside ? 0 : atomic_fetch_add(&fault.seen, 1) + 1;

	(void)args;
	if (!place)
		return 0;
	if (!fault.nth && !fault.all) {
		note(nr, place);
		return 0;
	}
	if (!is_due(nr, place))
		return 0;
	if (fault.logs)
		note(nr, place);
	*ret_handled = true;
	return -fault.err;
}

static const char *value_of(char **environment, const char *name)
{
	const size_t bytes = strlen(name);

	for (; *environment; environment++)
		if (!strncmp(*environment, name, bytes) && (*environment)[bytes] == '=')
			return *environment + bytes + 1;
	return NULL;
}

static const char *take_number(const char *text, long *ret_value)
{
	long value = 0;

	while (*text >= '0' && *text <= '9')
		value = value * 10 + (*text++ - '0');
	*ret_value = value;
	return *text == ':' ? text + 1 : text;
}

static void begin(int argc, char **argv, char **environment)
{
	const char *log = value_of(environment, "HRESV_FAULT_LOG");
	const char *what = value_of(environment, "HRESV_FAULT");

	(void)argc;
	(void)argv;
	if (log && strlen(log) < sizeof(fault.log)) {
		strcpy(fault.log, log);
		fault.logs = true;
	}
	if (what && !strncmp(what, "all:", 4)) {
		fault.all = true;
		what += 4;
	} else if (what) {
		what = take_number(what, &fault.nth);
	}
	if (what)
		take_number(take_number(what, &fault.nr), &fault.err);
	if (what || fault.logs)
		sys_set_hook(hook);
}

/* In front of every constructor of the library. */
static void (*const first)(int, char **, char **)
	__attribute__((used, section(".init_array.00050"))) = begin;
