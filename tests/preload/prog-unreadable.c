/* SPDX-License-Identifier: MIT */
/*
 * prog-unreadable.c - says what calls answer that are given addresses which can't be read
 *
 * Some ask the kernel this way whether they may look at an address: what it says must
 * be what they hear, whoever looked first. Each call is made in a child, as what went
 * wrong dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MASK_BYTES 8
#define BUS ((uint64_t)1 << (SIGBUS - 1))
#define USR1 ((uint64_t)1 << (SIGUSR1 - 1))

extern int epoll_pwait2(int fd, struct epoll_event *events, int most, const struct timespec *limit,
			const sigset_t *set);

/* Said by the child: the answer, its error, and what is blocked afterwards. */
#define SAY(call)                                                                            \
	do {                                                                                 \
		fflush(stdout);                                                              \
		if (fork() == 0) {                                                           \
			alarm(60);                                                           \
			errno = 0;                                                           \
			said(#call, (long)(call));                                           \
			_exit(0);                                                            \
		}                                                                            \
		ended(#call);                                                                \
	} while (0)

static void said(const char *what, long value)
{
	const int error = errno;
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("%s: %ld %s, bus %d, usr1 %d\n", what, value, strerror(error),
	       sigismember(&now, SIGBUS), sigismember(&now, SIGUSR1));
	fflush(stdout);
}

static void ended(const char *what)
{
	int status = 0;

	wait(&status);
	if (status != 0)
		printf("%s: status %d\n", what, status);
}

static long mask(int how, const void *set, void *ret_old)
{
	return syscall(SYS_rt_sigprocmask, how, set, ret_old, MASK_BYTES);
}

static void masks(void *bad)
{
	uint64_t old = 0, both = BUS | USR1, none = 0;

	SAY(mask(~0, bad, NULL));
	SAY(mask(~0, &old, NULL));
	SAY(mask(~0, NULL, NULL));
	SAY(mask(~0, &both, bad));
	SAY(mask(77, NULL, bad));
	SAY(mask(SIG_BLOCK, bad, NULL));
	SAY(mask(SIG_SETMASK, bad, &old));
	SAY(mask(SIG_BLOCK, &both, bad));
	SAY(mask(SIG_BLOCK, NULL, bad));
	SAY(mask(SIG_SETMASK, &none, bad));
	SAY(sigprocmask(77, (const sigset_t *)&both, NULL));
	SAY(mask(SIG_BLOCK, &both, &old) || old || mask(SIG_BLOCK, NULL, &old) || old != both);
	/* Blocked, then refused. */
	mask(SIG_BLOCK, &both, NULL);
	SAY(mask(~0, bad, NULL));
	SAY(mask(~0, &none, NULL));
	SAY(mask(SIG_SETMASK, bad, NULL));
	SAY(mask(SIG_UNBLOCK, &both, bad));
	mask(SIG_UNBLOCK, &both, NULL);
}

static volatile int negative = -1;

static void reads(void *bad)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), packets[2];
	struct iovec half[2] = { { malloc(4), 4 }, { bad, 4 } };
	struct msghdr message = { .msg_iov = bad, .msg_iovlen = 1 };
	struct mmsghdr messages = { .msg_hdr = message };

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, packets) ||
	    write(packets[1], "12345678", 8) != 8)
		exit(1);
	SAY(readv(file, bad, 1));
	SAY(readv(file, bad, negative));
	SAY(readv(file, half, 2));
	SAY(preadv(file, bad, 1, 0));
	SAY(preadv2(file, bad, 1, 0, 0));
	SAY(read(file, bad, 4));
	SAY(recvmsg(packets[0], bad, 0));
	SAY(recvmsg(packets[0], &message, 0));
	SAY(recvmmsg(packets[0], bad, 1, 0, NULL));
	SAY(recvmmsg(packets[0], &messages, 1, 0, NULL));
	SAY(recv(packets[0], bad, 8, 0));
	SAY(getsockname(packets[0], bad, bad));
	SAY(process_madvise(-1, bad, 1, MADV_COLD, 0));
	free(half[0].iov_base);
	close(file);
	close(packets[0]);
	close(packets[1]);
}

static void waits(void *bad)
{
	const struct timespec moment = { 0, 1000000 };
	int ring = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	SAY(sigsuspend(bad));
	SAY(ppoll(NULL, 0, &moment, bad));
	SAY(pselect(0, NULL, NULL, NULL, &moment, bad));
	SAY(epoll_pwait(ring, &event, 1, 1, bad));
	SAY(epoll_pwait2(ring, &event, 1, &moment, bad));
	SAY(sigtimedwait(bad, NULL, &moment));
	close(ring);
}

static void children(void *bad)
{
	SAY(syscall(SYS_clone3, bad, sizeof(struct clone_args)));
	SAY(syscall(SYS_clone3, bad, CLONE_ARGS_SIZE_VER0));
	SAY(syscall(SYS_clone3, bad, 1));
	SAY(syscall(SYS_clone3, NULL, sizeof(struct clone_args)));
}

static void all(const char *where, void *bad)
{
	printf("%s\n", where);
	masks(bad);
	reads(bad);
	waits(bad);
	children(bad);
}

/* Readable at its beginning, and not behind it. */
static void crosses(char *edge)
{
	printf("an edge\n");
	SAY(readv(0, (struct iovec *)(void *)(edge - sizeof(struct iovec)), 2));
	SAY(syscall(SYS_clone3, edge - CLONE_ARGS_SIZE_VER0, sizeof(struct clone_args)));
	SAY(mask(~0, edge - MASK_BYTES / 2, NULL));
	SAY(mask(~0, edge - MASK_BYTES, NULL));
	SAY(ppoll(NULL, 0, &(struct timespec){ 0, 0 }, (sigset_t *)(void *)(edge - MASK_BYTES)));
}

int main(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (two == MAP_FAILED || mprotect(two + page, page, PROT_NONE))
		return 1;
	all("nowhere", (void *)16);
	all("nobody's", two + page);
	all("no address", (void *)((uintptr_t)1 << 63));
	crosses(two + page);
	return 0;
}
