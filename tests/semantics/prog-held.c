/* SPDX-License-Identifier: MIT */
/*
 * prog-held.c - calls on one part of a huge page while another thread splits it
 *
 *	prog-held ROUNDS
 *
 * Two threads have a huge page in common, each its own small pages of it. One splits the
 * page; the other makes a call on its own at that moment, and then does what the call
 * entitles it to. Writers may be held meanwhile by the page's protection, and nothing
 * that anybody makes of this protection may last. A signal or a wrong answer: status 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define HUGE ((size_t)2 << 20)
#define MINE (HUGE / 2)		/* where the second thread's pages begin */

static pthread_barrier_t begin, end;
static char *memory;		/* one huge page, of this round */
static long rounds;

static void wrong(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void on_fault(int number)
{
	static const char said[] = "a fault where the program may write\n";

	(void)number;
	if (write(1, said, sizeof(said) - 1) < 0)
		_exit(2);
	_exit(1);
}

static void wait_some(uint64_t *draw)
{
	*draw = *draw * 6364136223846793005u + 1442695040888963407u;
	for (volatile uint64_t i = *draw >> 33 & 0x1ffff; i; i--)
		;
}

static void map(int prot)
{
	memory = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		wrong("mmap");
	memset(memory, 1, HUGE);
	if (prot != (PROT_READ | PROT_WRITE) && mprotect(memory, HUGE, prot) != 0)
		wrong("mprotect");
}

/* What the second thread does ------------------------------------------------------- */

/* The old place stays, untouched, to be written again. */
static void leave(void)
{
	char *moved = mremap(memory + MINE, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);

	if (moved == MAP_FAILED)
		wrong("mremap that leaves the old place");
	for (size_t i = 0; i < 3 * PAGE; i += PAGE) {
		if (moved[i] != 1 || memory[MINE + i] != 0)
			wrong("content");
		memory[MINE + i] = moved[i] = 2;
	}
	munmap(moved, 3 * PAGE);
}

/* What it grows by is as writable as the page it grew from. */
static void grow(void)
{
	char *at = mremap(memory + HUGE - PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE);

	if (at == MAP_FAILED)
		wrong("mremap that grows");
	if (at[0] != 1 || at[PAGE] != 0)
		wrong("content");
	at[0] = at[PAGE] = at[2 * PAGE] = 2;
	munmap(at, 3 * PAGE);
}

/* Memory for writing alone can be read by the kernel, as by loads. */
static void send(int *pipe_ends)
{
	char got[PAGE];

	for (int i = 0; i < 40; i++)
		if (write(pipe_ends[1], memory + MINE, PAGE) != (ssize_t)PAGE ||
		    read(pipe_ends[0], got, PAGE) != (ssize_t)PAGE || got[0] != 1)
			wrong("write(2) from the page");
}

static void *make_calls(void *arg)
{
	uint64_t draw = 1;

	for (long i = 0; i < rounds; i++) {
		pthread_barrier_wait(&begin);
		wait_some(&draw);
		if (i % 3 == 0)
			leave();
		else if (i % 3 == 1)
			grow();
		else
			send(arg);
		pthread_barrier_wait(&end);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int pipe_ends[2];
	pthread_t thread;
	uint64_t draw = 7;

	rounds = argc > 1 ? atol(argv[1]) : 300;
	if (pipe(pipe_ends) != 0)
		wrong("pipe");
	signal(SIGSEGV, on_fault);
	pthread_barrier_init(&begin, NULL, 2);
	pthread_barrier_init(&end, NULL, 2);
	if (pthread_create(&thread, NULL, make_calls, pipe_ends) != 0)
		wrong("pthread_create");
	for (long i = 0; i < rounds; i++) {
		map(i % 3 == 2 ? PROT_WRITE : PROT_READ | PROT_WRITE);
		pthread_barrier_wait(&begin);
		wait_some(&draw);
		if (mprotect(memory + PAGE, PAGE, PROT_READ) != 0)
			wrong("mprotect of a page");
		pthread_barrier_wait(&end);
		munmap(memory, HUGE);
	}
	pthread_join(thread, NULL);
	printf("%ld rounds\n", rounds);
	return 0;
}
