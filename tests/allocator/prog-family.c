/* SPDX-License-Identifier: MIT */
// link: -ldl
/*
 * prog-family.c - the malloc family from the inside: prog-family CASE
 *
 * Knows nothing of libhresv: each case holds for glibc's malloc too. Exits with 0,
 * or says on standard error what was wrong, and exits with 1.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(what)                                                          \
	do {                                                                 \
		if (!(what)) {                                               \
			fprintf(stderr, "line %d: %s\n", __LINE__, #what);   \
			_exit(1);                                            \
		}                                                            \
	} while (0)

/* Sizes the compiler can't see through: it warns of, or drops, calls it can judge. */
static volatile size_t too_much = SIZE_MAX - 4096;
static volatile size_t none;

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

static int is_filled(const unsigned char *at, int with, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (at[i] != (unsigned char)with)
			return 0;
	return 1;
}

static void zero_bytes(void)
{
	void *a = malloc(none), *b = malloc(none);

	CHECK(a && b && a != b);
	free(a);
	free(b);
	a = calloc(none, 8);
	CHECK(a);
	free(a);
	free(NULL);
	CHECK(malloc_usable_size(NULL) == 0);
}

static void overflow(void)
{
	void *block = malloc(100);

	errno = 0;
	CHECK(malloc(too_much) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(calloc(too_much / 2, 4) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(calloc(((size_t)1 << 33) + none, (size_t)1 << 33) == NULL && errno == ENOMEM);
	memset(block, 7, 100);
	errno = 0;
	CHECK(realloc(block, too_much) == NULL && errno == ENOMEM);
	CHECK(is_filled(block, 7, 100));
	errno = 0;
	CHECK(reallocarray(block, too_much / 2, 4) == NULL && errno == ENOMEM);
	CHECK(is_filled(block, 7, 100));
	errno = 0;
	CHECK(memalign(64, too_much) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(pvalloc(too_much + 4000) == NULL && errno == ENOMEM);
	errno = 0;
	CHECK(valloc(too_much) == NULL && errno == ENOMEM);
	free(block);
}

static void alignment(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	for (size_t bytes = 1; bytes < (8 << 20); bytes += bytes / 3 + 1) {
		at = malloc(bytes);
		CHECK(at && (uintptr_t)at % (bytes < 16 ? 8 : 16) == 0);
		memset(at, 1, bytes);
		free(at);
		at = valloc(bytes);
		CHECK(at && (uintptr_t)at % page == 0);
		free(at);
		at = pvalloc(bytes);
		CHECK(at && (uintptr_t)at % page == 0 && malloc_usable_size(at) >= page);
		free(at);
		for (size_t align = sizeof(void *); align <= (4 << 20); align *= 2) {
			at = memalign(align, bytes);
			CHECK(at && (uintptr_t)at % align == 0);
			memset(at, 2, bytes);
			free(at);
			at = aligned_alloc(align, bytes);
			CHECK(at && (uintptr_t)at % align == 0);
			free(at);
			CHECK(posix_memalign(&at, align, bytes) == 0 && (uintptr_t)at % align == 0);
			((char *)at)[bytes - 1] = 1;
			free(at);
		}
	}
}

static void bad_alignment(void)
{
	void *kept = &kept, *at = kept;

	errno = 77;
	CHECK(posix_memalign(&at, 3, 100) == EINVAL && at == kept);
	CHECK(posix_memalign(&at, 4, 100) == EINVAL && at == kept);
	CHECK(posix_memalign(&at, none, 100) == EINVAL && at == kept);
	CHECK(posix_memalign(&at, 64, too_much) == ENOMEM && at == kept);
	CHECK(errno == 77);
	at = memalign((size_t)48 + none, 100);	/* glibc rounds up */
	CHECK(at && (uintptr_t)at % 64 == 0);
	free(at);
	errno = 0;
	CHECK(memalign(SIZE_MAX / 2 + 2 + none, 1) == NULL && errno == EINVAL);
}

static void realloc_edges(void)
{
	unsigned char *at = realloc(NULL, 100);

	CHECK(at);
	memset(at, 5, 100);
	errno = 0;
	CHECK(realloc(at, none) == NULL && errno == 0);
	at = reallocarray(NULL, 10, 10);
	CHECK(at);
	free(at);
}

static void errno_is_kept(void)
{
	for (size_t bytes = 8; bytes <= (64 << 20); bytes *= 2) {
		void *at = malloc(bytes);

		CHECK(at);
		memset(at, 1, bytes);
		errno = 1234;
		free(at);
		CHECK(errno == 1234);
	}
}

static void usable(void)
{
	for (size_t bytes = 1; bytes < (32 << 20); bytes += bytes / 2 + 1) {
		unsigned char *at = malloc(bytes);
		size_t has = malloc_usable_size(at);

		CHECK(at && has >= bytes);
		memset(at, 9, has);
		CHECK(is_filled(at, 9, has));
		at = realloc(at, has);
		CHECK(at && is_filled(at, 9, has));
		free(at);
	}
}

static void calloc_is_zero(void)
{
	for (int round = 0; round < 20; round++) {
		for (size_t bytes = 1; bytes < (24 << 20); bytes = bytes * 3 + 1) {
			unsigned char *at = malloc(bytes);

			CHECK(at);
			memset(at, 0xee, bytes);
			free(at);
			at = calloc(1, bytes);
			CHECK(at && is_filled(at, 0, bytes));
			memset(at, 0xdd, bytes);
			free(at);
		}
		malloc_trim(0);
	}
}

static void realloc_keeps(void)
{
	unsigned char *at = NULL;
	size_t had = 0;

	for (size_t bytes = 1; bytes < (200 << 20); bytes += bytes / 5 + 1) {
		at = realloc(at, bytes);
		CHECK(at);
		for (size_t i = 0; i < had; i += had / 1000 + 1)
			CHECK(at[i] == (unsigned char)(i * 7));
		for (size_t i = 0; i < bytes; i++)
			at[i] = (unsigned char)(i * 7);
		had = bytes;
	}
	while (had > 10) {
		at = realloc(at, had /= 3);
		CHECK(at);
		for (size_t i = 0; i < had; i += had / 1000 + 1)
			CHECK(at[i] == (unsigned char)(i * 7));
	}
	free(at);
}

/* Several blocks that grow in turns must not grow into each other. */
static void growing_neighbours(void)
{
	enum { N = 5 };
	unsigned char *at[N] = { NULL };
	size_t had[N] = { 0 };

	for (int step = 0; step < 120; step++) {
		int i = step % N;
		size_t bytes = had[i] + had[i] / 4 + ((size_t)300 << 10);

		if (step > 80 && i == 3)
			bytes = 1000;
		at[i] = realloc(at[i], bytes);
		CHECK(at[i]);
		CHECK(is_filled(at[i], i + 1, had[i] < bytes ? had[i] : bytes));
		memset(at[i], i + 1, bytes);
		had[i] = bytes;
		if (had[i] > (48 << 20)) {
			CHECK(is_filled(at[i], i + 1, had[i]));
			free(at[i]);
			at[i] = NULL;
			had[i] = 0;
		}
	}
	for (int i = 0; i < N; i++) {
		CHECK(is_filled(at[i], i + 1, had[i]));
		free(at[i]);
	}
}

/* Threads, random calls, and each block's content is its own -------------------- */

enum { SHADOW_THREADS = 4, SHADOW_STEPS = 260000, SHADOW_BLOCKS = 300, SHADOW_SWAP = 64 };

struct block {
	unsigned char *at;
	size_t bytes;
	unsigned char tag;
};

static struct block swap_place[SHADOW_SWAP];
static pthread_mutex_t swap_lock = PTHREAD_MUTEX_INITIALIZER;

static size_t random_size(uint64_t *rng)
{
	uint64_t dice = next_random(rng) % 10000;

	if (dice == 0)
		return next_random(rng) % (6 << 20);
	if (dice < 20)
		return next_random(rng) % (300 << 10);
	if (dice < 1000)
		return next_random(rng) % 20000;
	return next_random(rng) % 600;
}

/* First, last and a few between: all of it would test memset. */
static void stamp(struct block *b)
{
	for (size_t i = 0; i < b->bytes; i += b->bytes / 16 + 1)
		b->at[i] = b->tag;
	if (b->bytes)
		b->at[b->bytes - 1] = b->tag;
}

static void verify(const struct block *b, size_t bytes)
{
	for (size_t i = 0; i < b->bytes; i += b->bytes / 16 + 1)
		CHECK(i >= bytes || b->at[i] == b->tag);
	CHECK(!b->bytes || b->bytes > bytes || b->at[b->bytes - 1] == b->tag);
}

static void make(struct block *b, uint64_t *rng)
{
	uint64_t how = next_random(rng) % 8;

	b->bytes = random_size(rng);
	b->tag = (unsigned char)(next_random(rng) | 1);
	if (how == 0) {
		b->at = calloc(1, b->bytes);
		CHECK(b->at && is_filled(b->at, 0, b->bytes));
	} else if (how == 1) {
		size_t align = (size_t)16 << next_random(rng) % 10;

		b->at = memalign(align, b->bytes);
		CHECK((uintptr_t)b->at % align == 0);
	} else {
		b->at = malloc(b->bytes);
	}
	CHECK(b->at && malloc_usable_size(b->at) >= b->bytes);
	stamp(b);
}

static void *shadow_work(void *arg)
{
	struct block *block = calloc(SHADOW_BLOCKS, sizeof(*block));
	uint64_t rng = 88172645463325252u + (uintptr_t)arg * 77;

	for (int step = 0; step < SHADOW_STEPS; step++) {
		struct block *b = &block[next_random(&rng) % SHADOW_BLOCKS];
		uint64_t what = next_random(&rng) % 16;

		if (!b->at) {
			make(b, &rng);
		} else if (what < 3) {
			size_t bytes = random_size(&rng) + 1;

			verify(b, b->bytes);
			b->at = realloc(b->at, bytes);
			CHECK(b->at);
			verify(b, bytes);
			b->bytes = bytes;
			stamp(b);
		} else if (what < 5) {
			struct block mine = *b;
			size_t i = next_random(&rng) % SHADOW_SWAP;

			pthread_mutex_lock(&swap_lock);
			*b = swap_place[i];
			swap_place[i] = mine;
			pthread_mutex_unlock(&swap_lock);
			if (b->at)
				verify(b, b->bytes);
		} else {
			verify(b, b->bytes);
			free(b->at);
			b->at = NULL;
		}
		if (step % 60000 == 59999)
			malloc_trim(0);
	}
	for (int i = 0; i < SHADOW_BLOCKS; i++) {
		if (block[i].at)
			verify(&block[i], block[i].bytes);
		free(block[i].at);
	}
	free(block);
	return NULL;
}

static void run_threads(void *(*work)(void *), int n)
{
	pthread_t id[64];

	for (intptr_t i = 0; i < n; i++)
		CHECK(pthread_create(&id[i], NULL, work, (void *)i) == 0);
	for (int i = 0; i < n; i++)
		pthread_join(id[i], NULL);
}

static void shadow(void)
{
	run_threads(shadow_work, SHADOW_THREADS);
	for (int i = 0; i < SHADOW_SWAP; i++)
		free(swap_place[i].at);
}

/* fork --------------------------------------------------------------------------- */

static volatile int stop;

static void *churn(void *arg)
{
	uint64_t rng = 1234567 + (uintptr_t)arg;

	while (!stop) {
		size_t bytes = random_size(&rng);
		unsigned char *at = malloc(bytes);

		CHECK(at);
		memset(at, 3, bytes < 5000 ? bytes : 5000);
		free(at);
		if (next_random(&rng) % 512 == 0) {
			at = malloc(9 << 20);
			CHECK(at);
			memset(at, 3, 9 << 20);
			free(at);
			if ((uintptr_t)arg == 0)
				malloc_trim(0);
		}
	}
	return NULL;
}

static void child_uses_the_heap(const unsigned char *kept, size_t bytes)
{
	alarm(20);
	CHECK(is_filled(kept, 0x5a, bytes));
	run_threads(churn, 0);
	for (size_t i = 1; i < 2000; i++) {
		unsigned char *at = malloc(i * 64);

		CHECK(at);
		memset(at, 1, i * 64);
		free(at);
	}
	_exit(0);
}

static void fork_with_threads(void)
{
	enum { N = 3, KEPT = 6 << 20 };
	unsigned char *kept = malloc(KEPT);
	pthread_t id[N];

	memset(kept, 0x5a, KEPT);
	for (intptr_t i = 0; i < N; i++)
		CHECK(pthread_create(&id[i], NULL, churn, (void *)i) == 0);
	for (int round = 0; round < 60; round++) {
		int status = 0;
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			child_uses_the_heap(kept, KEPT);
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	stop = 1;
	for (int i = 0; i < N; i++)
		pthread_join(id[i], NULL);
	CHECK(is_filled(kept, 0x5a, KEPT));
	free(kept);
}

/* Threads end ---------------------------------------------------------------------- */

static pthread_key_t key;

/* Runs when the allocator has perhaps cleaned up after the thread already. */
static void late(void *value)
{
	void *at = malloc(300);
	static _Atomic unsigned calls;

	CHECK(at);
	free(at);
	free(value);
	if (calls++ % 2)
		CHECK(pthread_setspecific(key, malloc(50)) == 0);
}

static void *short_work(void *arg)
{
	void *at[50];

	CHECK(pthread_setspecific(key, malloc(100)) == 0);
	for (int i = 0; i < 50; i++)
		CHECK((at[i] = malloc((size_t)i * 100 + 1)) != NULL);
	for (int i = 0; i < 50; i++)
		free(at[i]);
	return arg;
}

static long resident_kib(void)
{
	char line[256];
	long kib = 0, value;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &value) == 1 ||
		    sscanf(line, "HugetlbPages: %ld", &value) == 1)
			kib += value;
	if (f)
		fclose(f);
	return kib;
}

static void thread_exit(void)
{
	long before;

	CHECK(pthread_key_create(&key, late) == 0);
	for (int i = 0; i < 50; i++)
		run_threads(short_work, 8);
	before = resident_kib();
	for (int i = 0; i < 400; i++)
		run_threads(short_work, 8);
	CHECK(resident_kib() - before < 16 << 10);
}

/* Other moments ---------------------------------------------------------------------- */

static void *from_constructor;

__attribute__((constructor(101))) static void construct(void)
{
	from_constructor = calloc(1, 1000);
}

__attribute__((destructor(101))) static void destruct(void)
{
	void *at = malloc(5000);

	CHECK(from_constructor && is_filled(from_constructor, 0, 1000) && at);
	free(realloc(from_constructor, 100000));
	free(at);
}

static void before_and_after_main(void)
{
	CHECK(from_constructor && is_filled(from_constructor, 0, 1000));
}

static void loading(void)
{
	for (int i = 0; i < 20; i++) {
		void *library = dlopen("libm.so.6", RTLD_NOW);
		double (*f)(double);

		CHECK(library);
		*(void **)(void *)&f = dlsym(library, "cos");
		CHECK(f && f(0.0) == 1.0 && !dlsym(library, "no_such_name"));
		dlclose(library);
	}
}

static volatile int handled;

static void handler(int number)
{
	void *at = malloc(777);

	(void)number;
	CHECK(at);
	free(at);
	handled++;
}

/* A signal between two calls, not inside one: so far glibc's goes as well. */
static void signals(void)
{
	signal(SIGUSR1, handler);
	for (int i = 0; i < 1000; i++) {
		void *at = malloc((size_t)i);

		raise(SIGUSR1);
		free(at);
	}
	CHECK(handled == 1000);
}

/* With hardly any address space left, calls fail as they should and then work again. */
static void short_of_space(void)
{
	struct rlimit limit = { 600 << 20, RLIM_INFINITY };
	void *block[400];
	int n = 0;

	free(malloc(100000));
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	errno = 0;
	CHECK(malloc((size_t)2 << 30) == NULL && errno == ENOMEM);
	while (n < 400 && (block[n] = malloc(4 << 20)) != NULL) {
		memset(block[n], 1, 4 << 20);
		n++;
	}
	CHECK(n > 10 && n < 400 && errno == ENOMEM);
	while (n)
		free(block[--n]);
	malloc_trim(0);
	CHECK((block[0] = malloc(8 << 20)) != NULL);
	memset(block[0], 1, 8 << 20);
	free(block[0]);
}

static void told(void)
{
	struct mallinfo2 before, m;
	char *text = NULL;
	size_t bytes = 0;
	FILE *f;
	void *block[1000];

	before = mallinfo2();
	for (int i = 0; i < 1000; i++)
		memset(block[i] = malloc(40000), 1, 40000);
	m = mallinfo2();
	CHECK(m.uordblks + m.hblkhd >= before.uordblks + before.hblkhd + 40000000);
	CHECK(m.arena + m.hblkhd >= m.uordblks);
	f = open_memstream(&text, &bytes);
	CHECK(malloc_info(0, f) == 0);
	fclose(f);
	CHECK(strncmp(text, "<malloc version=\"1\">", 20) == 0 && strstr(text, "</malloc>"));
	free(text);
	CHECK(malloc_info(1, stderr) == EINVAL);
	malloc_stats();
	for (int i = 0; i < 1000; i++)
		free(block[i]);
	malloc_trim(0);
	m = mallinfo2();
	CHECK(m.uordblks < before.uordblks + 4000000);
	CHECK(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{ "zero_bytes", zero_bytes },
		{ "overflow", overflow },
		{ "alignment", alignment },
		{ "bad_alignment", bad_alignment },
		{ "realloc_edges", realloc_edges },
		{ "errno_is_kept", errno_is_kept },
		{ "usable", usable },
		{ "calloc_is_zero", calloc_is_zero },
		{ "realloc_keeps", realloc_keeps },
		{ "growing_neighbours", growing_neighbours },
		{ "shadow", shadow },
		{ "fork_with_threads", fork_with_threads },
		{ "thread_exit", thread_exit },
		{ "before_and_after_main", before_and_after_main },
		{ "loading", loading },
		{ "signals", signals },
		{ "short_of_space", short_of_space },
		{ "told", told },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	for (size_t i = 0; argc < 2 && i < sizeof(cases) / sizeof(cases[0]); i++)
		puts(cases[i].name);
	return argc == 2 ? 2 : 0;
}
