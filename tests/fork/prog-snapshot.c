/* SPDX-License-Identifier: MIT */
// link: -luring
/*
 * prog-snapshot.c - a program that forks while it writes, and believes nothing
 *
 *	prog-snapshot PAGES ROUNDS WRITERS [HOW]
 *
 * Threads write into private memory by stores, read(2) and io_uring, each into
 * blocks of its own, whole blocks of one number that grows, and note the number
 * beside. So at any moment a block holds its number or the next: in the parent
 * (no write lost) and in each child (the moment of its fork). A child looks
 * twice, with time for the parent to write in between, then writes everything
 * itself, by stores and by read(2), looks again, and forks a child that does the
 * same. A round is fresh memory and three forks.
 *
 * WRITERS: any of s, r, u; one thread each. HOW: g asks for huge pages itself.
 * Exit status 0, or what is wrong in words on standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE ((size_t)2 << 20)
#define BLOCK ((size_t)4096)
#define FORKS 3		/* a round */
#define WORDS (BLOCK / sizeof(uint64_t))
#define BLOCKS_MOST (512 * 512)

static uint64_t *memory;
static size_t blocks;
static _Atomic uint64_t noted[BLOCKS_MOST];	/* in small memory, part of the snapshot */
static atomic_bool stop;
static char writers[16];

__attribute__((noreturn, format(printf, 1, 2))) static void wrong(const char *format, ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dprintf(STDERR_FILENO, "prog-snapshot: %d: %s\n", getpid(), text);
	_exit(1);
}

static void check_block(size_t i, uint64_t low, uint64_t high, const char *when)
{
	const volatile uint64_t *block = memory + i * WORDS;

	for (size_t w = 0; w < WORDS; w++)
		if (block[w] < low || block[w] > high)
			wrong("%s: block %zu word %zu is %#lx, not %#lx to %#lx", when, i, w,
			      (unsigned long)block[w], (unsigned long)low, (unsigned long)high);
}

static uint64_t sum_of_all(void)
{
	uint64_t sum = 0;

	for (size_t w = 0; w < blocks * WORDS; w++)
		sum = sum * 31 + memory[w];
	return sum;
}

/* Each writer's own sequence of blocks: every n-th, in an order that jumps about. */
static size_t next_block(size_t me, uint64_t turn)
{
	size_t n = strlen(writers), mine = blocks / n;

	return (turn * 2654435761u % mine) * n + me;
}

static void write_by_store(size_t i, uint64_t value)
{
	volatile uint64_t *block = memory + i * WORDS;

	for (size_t w = 0; w < WORDS; w++)
		block[w] = value;
}

/* A file that holds one block of @value. */
static void fill_source(int fd, uint64_t value)
{
	uint64_t block[WORDS];

	for (size_t w = 0; w < WORDS; w++)
		block[w] = value;
	if (pwrite(fd, block, BLOCK, 0) != (ssize_t)BLOCK)
		wrong("pwrite: %s", strerror(errno));
}

static void write_by_read(int fd, size_t i, uint64_t value)
{
	ssize_t got;

	fill_source(fd, value);
	got = pread(fd, memory + i * WORDS, BLOCK, 0);
	if (got != (ssize_t)BLOCK)
		wrong("read(2) into block %zu: %zd, %s", i, got, got < 0 ? strerror(errno) : "short");
}

static void write_by_ring(struct io_uring *ring, int fd, size_t i, uint64_t value)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int got;

	fill_source(fd, value);
	io_uring_prep_read(sqe, fd, memory + i * WORDS, BLOCK, 0);
	io_uring_submit(ring);
	while ((got = io_uring_wait_cqe(ring, &cqe)) == -EINTR)
		;
	if (got)
		wrong("io_uring_wait_cqe: %s", strerror(-got));
	got = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	if (got != (int)BLOCK)
		wrong("io_uring into block %zu: %d", i, got);
}

static void *write_on(void *arg)
{
	size_t me = (size_t)arg;
	int fd = memfd_create("source", MFD_CLOEXEC);
	struct io_uring ring;

	if (writers[me] == 'u' && io_uring_queue_init(4, &ring, 0) < 0)
		wrong("io_uring_queue_init");
	for (uint64_t turn = 0; !stop; turn++) {
		size_t i = next_block(me, turn);
		uint64_t value = noted[i] + 1;

		check_block(i, value - 1, value - 1, "the parent's own");
		if (writers[me] == 's')
			write_by_store(i, value);
		else if (writers[me] == 'r')
			write_by_read(fd, i, value);
		else
			write_by_ring(&ring, fd, i, value);
		noted[i] = value;
		if (turn % 8 == 0)
			sched_yield();
	}
	return NULL;
}

static void check_moment(const char *when)
{
	for (size_t i = 0; i < blocks; i++)
		check_block(i, noted[i], noted[i] + 1, when);
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){ 0, us * 1000 }, NULL);
}

static void wait_for_one(void)
{
	int status;

	while (wait(&status) < 0)
		if (errno != EINTR)
			wrong("wait: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		wrong("a child ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
		      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

__attribute__((noreturn)) static void live(int depth)
{
	int fd = memfd_create("source", MFD_CLOEXEC);
	uint64_t own = 0x1000000000000000u * (unsigned)(depth + 1), before;

	if (depth == 0)
		check_moment("a child at first sight");
	before = sum_of_all();
	pause_us(300);
	if (sum_of_all() != before)
		wrong("the snapshot changed");
	for (size_t i = 0; i < blocks; i++) {
		if (i % 16 == 0)
			write_by_read(fd, i, own + i);
		else
			write_by_store(i, own + i);
	}
	for (size_t i = 0; i < blocks; i++)
		check_block(i, own + i, own + i, "a child after it wrote");
	if (depth == 0) {
		pid_t child = fork();

		if (child < 0)
			wrong("fork of a child: %s", strerror(errno));
		if (child == 0)
			live(1);
		for (size_t i = 0; i < blocks; i += 3)
			write_by_store(i, own + i + 1);
		wait_for_one();
		for (size_t i = 0; i < blocks; i++)
			check_block(i, own + i + (i % 3 == 0), own + i + (i % 3 == 0),
				    "a child after its child");
	}
	_exit(0);
}

/* Fresh memory, so that there is something to share, and a few forks of it. */
static void round_of(size_t pages, int flags, long forks)
{
	pthread_t thread[16];
	int running = 0;

	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (memory == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	memset(noted, 0, sizeof(noted));
	stop = false;
	for (size_t t = 0; t < strlen(writers); t++)
		pthread_create(&thread[t], NULL, write_on, (void *)t);
	for (long n = 0; n < forks; n++) {
		pid_t child = fork();

		if (child < 0)
			wrong("fork: %s", strerror(errno));
		if (child == 0)
			live(0);
		if (++running == 2) {
			wait_for_one();
			running--;
		}
	}
	while (running--)
		wait_for_one();
	stop = true;
	for (size_t t = 0; t < strlen(writers); t++)
		pthread_join(thread[t], NULL);
	for (size_t i = 0; i < blocks; i++)
		check_block(i, noted[i], noted[i], "the parent at the end");
	munmap(memory, pages * PAGE);
}

int main(int argc, char **argv)
{
	const char *how = argc > 4 ? argv[4] : "";
	size_t pages = argc > 1 ? strtoul(argv[1], NULL, 0) : 8;
	long rounds = argc > 2 ? strtol(argv[2], NULL, 0) : 100;

	strncpy(writers, argc > 3 ? argv[3] : "sru", sizeof(writers) - 1);
	blocks = pages * PAGE / BLOCK;
	if (blocks > BLOCKS_MOST)
		wrong("too many pages");
	for (long n = 0; n < rounds; n++)
		round_of(pages, strchr(how, 'g') ? MAP_HUGETLB : 0, FORKS);
	printf("%ld forks, as many of children\n", rounds * FORKS);
	return 0;
}
