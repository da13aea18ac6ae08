/* SPDX-License-Identifier: MIT */
/*
 * prog-syscall.c - calls made through syscall(2)
 *
 * `prog-syscall passed`: what doesn't concern us gives what it always gave.
 * `prog-syscall huge`: maps one huge page by number, writes to it, exits 3 when
 * it was refused with ENOMEM.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int bad;

static void expect(long got, long want, const char *what)
{
	if (got == want)
		return;
	printf("%s: expected %ld, got %ld\n", what, want, got);
	bad = 1;
}

static void six_arguments_arrive(void)
{
	char from[8] = "arrived", to[8] = "";
	struct iovec l = { to, 8 }, r = { from, 8 };

	expect(syscall(SYS_process_vm_readv, getpid(), &l, 1, &r, 1, 0), 8, "six arguments");
	expect(strcmp(to, "arrived"), 0, "what was read");
	errno = 0;
	expect(syscall(SYS_process_vm_readv, getpid(), &l, 1, &r, 1, 1), -1, "a wrong sixth");
	expect(errno, EINVAL, "its errno");
}

static void errno_is_set_by_failure_alone(void)
{
	errno = EDOM;
	expect(syscall(SYS_getpid), getpid(), "getpid");
	expect(errno, EDOM, "errno after success");
	expect(syscall(SYS_close, -1), -1, "close(-1)");
	expect(errno, EBADF, "its errno");
	expect(syscall(100000L), -1, "no such call");
	expect(errno, ENOSYS, "its errno");
	expect(syscall(-1L), -1, "no call");
	expect(errno, ENOSYS, "its errno");
	expect(syscall(SYS_munmap, 1L, 1L), -1, "munmap of nothing");
	expect(errno, EINVAL, "its errno");
}

static void memory_of_ours_is_unmapped_by_number(void)
{
	size_t bytes = 8 << 20;
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	at[0] = 1;
	expect(syscall(SYS_munmap, at, bytes), 0, "munmap");
	expect(msync(at, 4096, MS_ASYNC), -1, "what is left");
}

#if defined(__x86_64__)
/* Returns from syscall() to what lies on its stack: libc's leaves no frame there. */
static void in_child(void)
{
	syscall(SYS_exit_group, 7);
}

static void child_returns_to_its_own_stack(void)
{
	static long stack[4096] __attribute__((aligned(16)));
	int status = 0;
	long pid;

	stack[4088] = (long)in_child;
	pid = syscall(SYS_clone, SIGCHLD, &stack[4088], 0, 0, 0);
	expect(waitpid((pid_t)pid, &status, 0), pid, "the child");
	expect(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 7, "its status");
}
#else
static void child_returns_to_its_own_stack(void)
{
}
#endif

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "huge")) {
		char *at = (char *)syscall(SYS_mmap, NULL, 2L << 20, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0L);

		if (at == MAP_FAILED)
			return errno == ENOMEM ? 3 : 1;
		*at = 1;
		return 0;
	}
	six_arguments_arrive();
	errno_is_set_by_failure_alone();
	memory_of_ours_is_unmapped_by_number();
	child_returns_to_its_own_stack();
	return bad;
}
