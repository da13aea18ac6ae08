/* SPDX-License-Identifier: MIT */
/*
 * prog-lifetime.c - calls from handlers, from children, from threads that end in the
 *                   middle, and among a hundred thousand ranges
 *
 *	prog-lifetime signals|fork|cancel|cancel-anywhere|ranges
 *
 * Says what it did; a deadlock is the caller's timeout.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HUGE ((size_t)2 << 20)
#define PAGE ((size_t)4096)

static atomic_ulong done, handled;
static atomic_bool over;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(1);
}

static char *map(size_t bytes, int prot)
{
	char *at = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(at != MAP_FAILED, "mmap");
	return at;
}

/* All the ways once: split, moved, given back, committed. */
static void work(unsigned n)
{
	size_t odd = n % 512 * PAGE;
	char *at = map(2 * HUGE + odd, PROT_READ | PROT_WRITE), *reserved, *moved;

	at[0] = at[HUGE] = (char)n;
	need(mprotect(at + odd / 2 / PAGE * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0,
	     "mprotect");
	need(madvise(at + HUGE, PAGE * 3, MADV_DONTNEED) == 0, "madvise");
	need(at[HUGE] == 0 && at[0] == (char)n, "content");
	moved = mremap(at, 2 * HUGE + odd, HUGE + PAGE, 0);
	need(moved == at, "mremap");
	need(munmap(at + PAGE, PAGE) == 0, "munmap of a page");
	need(at[0] == (char)n, "content after a split");
	need(munmap(at, HUGE + PAGE) == 0, "munmap");
	reserved = map(2 * HUGE, PROT_NONE);
	need(mprotect(reserved, HUGE + PAGE, PROT_READ | PROT_WRITE) == 0, "commit");
	reserved[HUGE] = 1;
	need(munmap(reserved, 2 * HUGE) == 0, "munmap of a reservation");
	done++;
}

static void *keep_working(void *arg)
{
	for (unsigned n = (unsigned)(uintptr_t)arg; !over; n++) {
		work(n);
		pthread_testcancel();
	}
	return NULL;
}

/* A handler that calls what it may have interrupted ------------------------------------- */

static void on_signal(int signal)
{
	int error = errno;

	(void)signal;
	work((unsigned)handled++ * 7);
	errno = error;
}

static void signals(void)
{
	const struct itimerval often = { { 0, 1500 }, { 0, 1500 } }, never = { 0 };
	struct sigaction how = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pthread_t other;

	sigaction(SIGALRM, &how, NULL);
	pthread_create(&other, NULL, keep_working, (void *)100);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned n = 0; handled < 700; n++)
		work(n);
	setitimer(ITIMER_REAL, &never, NULL);
	over = true;
	pthread_join(other, NULL);
	printf("%lu times, %lu of them in a handler\n", done, handled);
}

/* A child of a process whose threads are in the middle of it ----------------------------- */

static void forks(void)
{
	pthread_t other[2];
	char *inherited = map(2 * HUGE, PROT_READ | PROT_WRITE);

	inherited[PAGE] = 5;
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&other[i], NULL, keep_working, (void *)(i * 1000));
	for (unsigned i = 0; i < 150; i++) {
		int status;
		pid_t child = fork();

		need(child >= 0, "fork");
		if (!child) {
			alarm(20);
			need(inherited[PAGE] == 5, "inherited content");
			need(mprotect(inherited, PAGE, PROT_READ) == 0, "mprotect of what was inherited");
			for (unsigned n = 0; n < 3; n++)
				work(i + n);
			need(munmap(inherited + PAGE, HUGE) == 0, "munmap of what was inherited");
			_exit(0);
		}
		need(waitpid(child, &status, 0) == child, "waitpid");
		if (status) {
			fprintf(stderr, "child %u ended with status %#x\n", i, status);
			_exit(1);
		}
	}
	over = true;
	for (int i = 0; i < 2; i++)
		pthread_join(other[i], NULL);
	printf("150 children\n");
}

/* Threads that end wherever they are ------------------------------------------------------ */

static void cancel(void)
{
	for (unsigned i = 0; i < 200; i++) {
		const struct timespec while_it_works = { 0, (long)(i % 50) * 100000 };
		pthread_t other;

		need(pthread_create(&other, NULL, keep_working, (void *)(uintptr_t)i) == 0, "thread");
		nanosleep(&while_it_works, NULL);
		pthread_cancel(other);
		pthread_join(other, NULL);
		work(i);
	}
	printf("200 threads cancelled, %lu times\n", done);
}

/* Even within a call: what the thread had is lost, as it would be, and nothing else. */
static void *call_until_cancelled(void *arg)
{
	char *volatile mine = arg;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		char *at = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED || mine[0] != 1)
			abort();
		at[0] = at[HUGE] = 1;
		if (mprotect(at + PAGE, PAGE, PROT_READ) || madvise(at + HUGE, PAGE, MADV_DONTNEED) ||
		    munmap(at, 2 * HUGE))
			abort();
	}
	return NULL;
}

static void cancel_anywhere(void)
{
	char *shared = map(2 * HUGE, PROT_READ | PROT_WRITE);

	shared[0] = 1;
	for (unsigned i = 0; i < 150; i++) {
		const struct timespec while_it_works = { 0, 100000 + (long)(i * 7919 % 50) * 20000 };
		pthread_t other;

		need(pthread_create(&other, NULL, call_until_cancelled, shared) == 0, "thread");
		nanosleep(&while_it_works, NULL);
		pthread_cancel(other);
		pthread_join(other, NULL);
		work(i);
	}
	need(mprotect(shared, PAGE, PROT_READ) == 0 && shared[0] == 1, "what was shared");
	printf("150 threads cancelled anywhere, %lu times\n", done);
}

/* A hundred thousand ranges ----------------------------------------------------------------- */

static void ranges(void)
{
	enum { N = 100000 };
	char **at = malloc(N * sizeof(*at));

	for (unsigned i = 0; i < N; i++)
		at[i] = map(HUGE, i / 1000 % 2 ? PROT_NONE : PROT_READ | PROT_WRITE);
	for (unsigned i = 0; i < 200; i++)
		work(i);
	for (unsigned i = 0; i < N; i++)
		need(munmap(at[i], HUGE) == 0, "munmap of one of many");
	free(at);
	printf("among %d ranges, %lu times\n", N, done);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "signals"))
		signals();
	else if (!strcmp(what, "fork"))
		forks();
	else if (!strcmp(what, "cancel"))
		cancel();
	else if (!strcmp(what, "cancel-anywhere"))
		cancel_anywhere();
	else if (!strcmp(what, "ranges"))
		ranges();
	else
		return 64;
	return 0;
}
