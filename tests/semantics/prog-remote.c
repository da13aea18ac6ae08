/* SPDX-License-Identifier: MIT */
/*
 * prog-remote.c - much is written into a huge page as a debugger would, while it is split
 *
 *	prog-remote SPLITS call|syscall|thread|mem
 *
 * One thread splits huge pages one after the other. Another writes to all of such a page and
 * the one before it, again and again, and looks whether everything is there: by process_vm_writev(2), by syscall(2), by
 * the number of a thread, or by /proc/self/mem, where EIO means that nothing was written.
 * A write lost, a short count, an errno, a signal: one line, status 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define HUGE ((size_t)2 << 20)
/* Pinned at once, and so the longer between that and the last byte. */
#define PART (2 * HUGE - 64 * PAGE)
#define WRITES_BESIDE 3

static char *memory;		/* of this round */
static char what[PART];
static const char *way;
static int mem;
static pthread_barrier_t begin, end;
static atomic_bool cut, over;

static void give_up(const char *why, long got)
{
	printf("%s: %s: %ld, errno %d (%s)\n", way, why, got, errno, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static long by_mem(char *at)
{
	size_t done = 0;

	while (done < PART) {
		ssize_t got = pwrite(mem, what + done, PART - done, (off_t)((uintptr_t)at + done));

		if (got < 0 && errno != EIO)
			return got;
		done += got > 0 ? (size_t)got : 0;
	}
	return (long)done;
}

static long write_all(char *at)
{
	const struct iovec here = { what, PART }, there = { at, PART };

	if (!strcmp(way, "mem"))
		return by_mem(at);
	if (!strcmp(way, "syscall"))
		return syscall(SYS_process_vm_writev, getpid(), &here, 1, &there, 1, 0);
	return process_vm_writev(!strcmp(way, "thread") ? gettid() : getpid(), &here, 1, &there, 1,
				 0);
}

static void write_once(unsigned char with)
{
	char *at = memory;
	long got;

	memset(what, with, PART);
	got = write_all(at);
	if (got != (long)PART)
		give_up("written", got);
	if (memcmp(at, what, PART) != 0) {
		errno = 0;
		give_up("a write was lost", 0);
	}
}

static void *live(void *arg)
{
	unsigned char with = 1;

	(void)arg;
	for (;;) {
		pthread_barrier_wait(&begin);
		if (over)
			return NULL;
		for (int after = 0; after < WRITES_BESIDE; after += cut)
			write_once(++with);
		pthread_barrier_wait(&end);
	}
}

static void operate(uint64_t *draw)
{
	memory = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		give_up("mmap", -1);
	memset(memory, 1, 2 * HUGE);
	cut = false;
	pthread_barrier_wait(&begin);
	*draw = *draw * 6364136223846793005u + 1442695040888963407u;
	for (volatile uint64_t i = *draw >> 33 & 0xfffff; i; i--)
		;
	if (mprotect(memory + 2 * HUGE - PAGE, PAGE, PROT_READ) != 0)
		give_up("mprotect", -1);
	cut = true;
	pthread_barrier_wait(&end);
	munmap(memory, 2 * HUGE);
}

int main(int argc, char **argv)
{
	const long splits = argc > 2 ? atol(argv[1]) : 0;
	uint64_t draw = 1;
	pthread_t writer;

	way = argc > 2 ? argv[2] : "";
	mem = open("/proc/self/mem", O_RDWR);
	if (mem < 0)
		give_up("open", mem);
	pthread_barrier_init(&begin, NULL, 2);
	pthread_barrier_init(&end, NULL, 2);
	if (pthread_create(&writer, NULL, live, NULL) != 0)
		give_up("thread", -1);
	for (long i = 0; i < splits; i++)
		operate(&draw);
	over = true;
	pthread_barrier_wait(&begin);
	pthread_join(writer, NULL);
	printf("%ld pages split\n", splits);
	return 0;
}
