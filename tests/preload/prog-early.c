/* SPDX-License-Identifier: MIT */
/*
 * prog-early.c - waits while the loader still relocates, before any constructor ran
 *
 * The loader asks a function which of several is meant. Exit 0: every wait ended by
 * its limit, and select() said what was left of it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

static const char *failed;

static void expect(int is_so, const char *what)
{
	if (!is_so && !failed)
		failed = what;
}

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static void selects(void)
{
	struct timeval limit = { 0, 20000 }, odd = { 30, 1010000 }, wrong = { 0, -1 }, left;
	long long start = now_us();
	fd_set in;
	int fds[2];

	expect(select(0, NULL, NULL, NULL, &limit) == 0, "select: nothing to wait for");
	expect(now_us() - start >= 20000, "select: came back before its limit");
	expect(limit.tv_sec == 0 && limit.tv_usec == 0, "select: a limit that is over has something left");
	expect(select(0, NULL, NULL, NULL, &wrong) == -1 && errno == EINVAL, "select: a wrong limit");
	if (pipe(fds) || write(fds[1], "", 1) != 1)
		return;
	FD_ZERO(&in);
	FD_SET(fds[0], &in);
	left = odd;
	expect(select(fds[0] + 1, &in, NULL, NULL, &left) == 1, "select: something to read");
	expect(left.tv_sec * 1000000 + left.tv_usec <= 31010000 && left.tv_usec < 1000000 &&
	       left.tv_sec * 1000000 + left.tv_usec > 0, "select: what is left");
	close(fds[0]);
	close(fds[1]);
}

static void others(void)
{
	struct timespec moment = { 0, 1000000 };
	int ring = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	sigset_t none;

	memset(&none, 0, sizeof(none));
	expect(poll(NULL, 0, 1) == 0, "poll");
	expect(ppoll(NULL, 0, &moment, &none) == 0, "ppoll");
	expect(pselect(0, NULL, NULL, NULL, &moment, &none) == 0, "pselect");
	expect(moment.tv_nsec == 1000000, "a limit that isn't told");
	expect(epoll_wait(ring, &event, 1, 1) == 0, "epoll_wait");
	expect(epoll_pwait(ring, &event, 1, 1, &none) == 0, "epoll_pwait");
	close(ring);
}

static int chosen_one(void)
{
	return 0;
}

__attribute__((used, no_stack_protector)) static int (*resolve_chosen(void))(void)
{
	alarm(60);
	selects();
	others();
	alarm(0);
	return chosen_one;
}

int chosen(void);
int chosen(void) __attribute__((ifunc("resolve_chosen")));

int main(void)
{
	if (failed)
		printf("%s\n", failed);
	return failed ? 1 : chosen();
}
