/* SPDX-License-Identifier: MIT */
// link: -luring
/*
 * prog-writers.c - threads and the kernel write into huge pages that are split
 *                  and made whole again under them
 *
 *	prog-writers SPLITS [WRITER...]
 *
 * A surgeon maps memory, splits each of its huge pages by a call on one small
 * page of it (mprotect, munmap, mremap, MAP_FIXED, madvise), and maps anew, until
 * SPLITS pages were split. Meanwhile each writer fills places of its own, all of
 * it checked at once and again before the memory goes:
 *
 *	store  loads and stores		pipe   read(2) from a pipe
 *	file   pread(2)			ring   io_uring
 *	vm     process_vm_writev(2)	direct pread(2) with O_DIRECT (from $PWD)
 *
 * A write lost or torn, a short count, an errno, a signal: one line, status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define HUGE ((size_t)2 << 20)
#define PAGES_HUGE 4
#define BYTES (PAGES_HUGE * HUGE)
/* A writer's place in each huge page, and what it writes there at once. */
#define PLACE_BYTES (16 * PAGE)
#define MOST (3 * PAGE)
/* The last small pages of a huge page are the surgeon's. */
#define KNIFE_AT (HUGE - 8 * PAGE)
#define WRITES_EACH 40

struct writer {
	const char *name;
	bool (*write)(struct writer *w, char *at, size_t bytes, unsigned char with);
	size_t unit;			/* alignment of place and length */
	unsigned no;
	bool on;
	int fd[2];
	struct io_uring ring;
	unsigned writes;		/* in this round */
	unsigned char last[PAGES_HUGE];
	size_t offset[PAGES_HUGE], bytes[PAGES_HUGE];
};

static char *memory;			/* of this round */
static pthread_barrier_t begin, end;
static atomic_bool cutting, over;

static void give_up(const struct writer *w, const char *what, long got, size_t want)
{
	printf("%s: %s: got %ld of %zu, errno %d (%s)\n", w ? w->name : "surgeon", what, got, want,
	       errno, strerror(errno));
	fflush(stdout);
	_exit(1);
}

/* The six ways ---------------------------------------------------------------------- */

static bool by_store(struct writer *w, char *at, size_t bytes, unsigned char with)
{
	volatile unsigned char *p = (volatile unsigned char *)at;

	(void)w;
	for (size_t i = 0; i < bytes; i += 8)
		p[i] = with;
	memset(at, with, bytes);
	return true;
}

static bool by_pipe(struct writer *w, char *at, size_t bytes, unsigned char with)
{
	char from[MOST];
	ssize_t got;

	memset(from, with, bytes);
	if (write(w->fd[1], from, bytes) != (ssize_t)bytes)
		give_up(w, "write to the pipe", 0, bytes);
	got = read(w->fd[0], at, bytes);
	if (got != (ssize_t)bytes)
		give_up(w, "read", got, bytes);
	return true;
}

/* The file has MOST bytes of each value, one behind the other. */
static bool by_file(struct writer *w, char *at, size_t bytes, unsigned char with)
{
	ssize_t got = pread(w->fd[0], at, bytes, (off_t)(with * MOST));

	if (got != (ssize_t)bytes)
		give_up(w, "pread", got, bytes);
	return true;
}

static bool by_ring(struct writer *w, char *at, size_t bytes, unsigned char with)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&w->ring);
	struct io_uring_cqe *cqe;
	int got;

	io_uring_prep_read(sqe, w->fd[0], at, (unsigned)bytes, with * MOST);
	io_uring_submit(&w->ring);
	if (io_uring_wait_cqe(&w->ring, &cqe))
		give_up(w, "wait", 0, bytes);
	got = cqe->res;
	io_uring_cqe_seen(&w->ring, cqe);
	errno = got < 0 ? -got : 0;
	if (got != (int)bytes)
		give_up(w, "ring read", got, bytes);
	return true;
}

static bool by_vm(struct writer *w, char *at, size_t bytes, unsigned char with)
{
	char from[MOST];
	struct iovec here = { from, bytes }, there = { at, bytes };
	ssize_t got;

	memset(from, with, bytes);
	got = process_vm_writev(getpid(), &here, 1, &there, 1, 0);
	if (got != (ssize_t)bytes)
		give_up(w, "process_vm_writev", got, bytes);
	return true;
}

static struct writer writers[] = {
	{ .name = "store", .write = by_store, .unit = 8 },
	{ .name = "pipe", .write = by_pipe, .unit = 1 },
	{ .name = "file", .write = by_file, .unit = 1 },
	{ .name = "ring", .write = by_ring, .unit = 1 },
	{ .name = "vm", .write = by_vm, .unit = 1 },
	{ .name = "direct", .write = by_file, .unit = 4096 },
};
#define WRITERS (sizeof(writers) / sizeof(writers[0]))

/* A writer's life ------------------------------------------------------------------- */

static char *place_of(const struct writer *w, size_t huge)
{
	return memory + huge * HUGE + HUGE / 2 + w->no * PLACE_BYTES;
}

static void check(const struct writer *w, size_t huge, const char *when)
{
	const unsigned char *at = (unsigned char *)place_of(w, huge) + w->offset[huge];

	for (size_t i = 0; i < w->bytes[huge]; i++)
		if (at[i] != w->last[huge]) {
			errno = 0;
			printf("%s, huge page %zu, byte %zu of %zu: ", when, huge, i, w->bytes[huge]);
			give_up(w, "a write was lost; holds, should hold", at[i], w->last[huge]);
		}
}

static void write_once(struct writer *w, unsigned *seed)
{
	size_t huge = (size_t)rand_r(seed) % PAGES_HUGE;
	size_t offset = (size_t)rand_r(seed) % (PAGE * 8) / w->unit * w->unit;
	size_t bytes = (1 + (size_t)rand_r(seed) % MOST + w->unit - 1) / w->unit * w->unit;
	unsigned char with = (unsigned char)(rand_r(seed) % 255 + 1);

	check(w, huge, "before the next write");
	w->write(w, place_of(w, huge) + offset, bytes, with);
	w->offset[huge] = offset;
	w->bytes[huge] = bytes;
	w->last[huge] = with;
	check(w, huge, "after the write");
	w->writes++;
}

static void *live(void *arg)
{
	struct writer *w = arg;
	unsigned seed = w->no + 1;

	for (;;) {
		pthread_barrier_wait(&begin);
		if (over)
			return NULL;
		w->writes = 0;
		memset(w->bytes, 0, sizeof(w->bytes));
		while (cutting || w->writes < WRITES_EACH)
			write_once(w, &seed);
		for (size_t i = 0; i < PAGES_HUGE; i++)
			check(w, i, "at the end");
		pthread_barrier_wait(&end);
	}
}

/* The surgeon ------------------------------------------------------------------------ */

static void cut(char *knife, unsigned how)
{
	void *at = knife;
	int err = 0;

	switch (how % 6) {
	case 0:
		err = mprotect(knife, PAGE, PROT_READ);
		break;
	case 1:
		err = munmap(knife, PAGE);
		break;
	case 2:
		at = mremap(knife, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, knife + 4 * PAGE);
		break;
	case 3:
		at = mmap(knife, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 4:
		err = madvise(knife, 2 * PAGE, MADV_WIPEONFORK);
		break;
	default:
		err = mprotect(knife, 2 * PAGE, PROT_NONE);
		break;
	}
	if (err || at == MAP_FAILED)
		give_up(NULL, "cut", (long)how, 0);
}

static void operate(unsigned round)
{
	memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		give_up(NULL, "mmap", -1, BYTES);
	/* What can't be huge now is touched all over, so that it may become huge. */
	memset(memory, 0, BYTES);
	cutting = true;
	pthread_barrier_wait(&begin);
	for (size_t i = 0; i < PAGES_HUGE; i++) {
		/* A large call: small memory becomes huge on the way, under the writers. */
		void *large = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		munmap(large, HUGE);
		cut(memory + i * HUGE + KNIFE_AT, round + (unsigned)i);
	}
	cutting = false;
	pthread_barrier_wait(&end);
	munmap(memory, BYTES);
}

/* Start -------------------------------------------------------------------------------- */

static int file_of_values(bool direct)
{
	char name[] = "writers.XXXXXX", value[MOST];
	int fd = direct ? mkostemp(name, O_DIRECT) : memfd_create("writers", 0);
	int plain = direct ? open(name, O_WRONLY) : dup(fd);

	if (direct)
		unlink(name);
	if (fd < 0 || plain < 0)
		return -1;
	for (int i = 0; i < 256; i++) {
		memset(value, i, sizeof(value));
		if (pwrite(plain, value, MOST, (off_t)(i * MOST)) != (ssize_t)MOST)
			return -1;
	}
	fsync(plain);
	close(plain);
	return fd;
}

static bool prepare(struct writer *w)
{
	if (w->write == by_pipe)
		return pipe(w->fd) == 0;
	if (w->write == by_ring && io_uring_queue_init(4, &w->ring, 0))
		return false;
	if (w->write == by_file || w->write == by_ring)
		w->fd[0] = file_of_values(w->unit > 1);
	return w->fd[0] >= 0;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc <= 2;
}

int main(int argc, char **argv)
{
	unsigned splits = argc > 1 ? (unsigned)atoi(argv[1]) : 100, n = 0;
	pthread_t thread[WRITERS];

	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i].no = i;
		writers[i].on = is_wanted(writers[i].name, argc, argv) && prepare(&writers[i]);
		if (is_wanted(writers[i].name, argc, argv) && !writers[i].on)
			printf("without %s\n", writers[i].name);
		n += writers[i].on;
	}
	pthread_barrier_init(&begin, NULL, n + 1);
	pthread_barrier_init(&end, NULL, n + 1);
	for (unsigned i = 0; i < WRITERS; i++)
		if (writers[i].on)
			pthread_create(&thread[i], NULL, live, &writers[i]);
	for (unsigned round = 0; round * PAGES_HUGE < splits; round++)
		operate(round);
	over = true;
	pthread_barrier_wait(&begin);
	for (unsigned i = 0; i < WRITERS; i++)
		if (writers[i].on)
			pthread_join(thread[i], NULL);
	printf("%u pages split under %u writers\n", splits, n);
	return 0;
}
