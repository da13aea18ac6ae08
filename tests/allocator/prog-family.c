/* SPDX-License-Identifier: MIT */
// link: -ldl
/*
 * prog-family.c - the malloc family from the inside: prog-family CASE
 *
 * Knows nothing of libhresv: each case holds for glibc's malloc too. Exits with 0,
 * or says on standard error what was wrong, and exits with 1.
 */
#include "tests/allocator/family-edges.h"
#include "tests/allocator/family-threads.h"

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
