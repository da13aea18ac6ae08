/* SPDX-License-Identifier: MIT */
/*
 * prog-differ.c - random calls on an arena, each result recorded
 *
 * Run once plainly and once under libhresv: the records must be the same.
 * differ.py runs it, compares, and shrinks what differs.
 *
 *	prog-differ --log FILE [--first SEED] [--seeds N] [--steps N] [--threads N]
 *		    [--keep STEP,STEP...] [--say] [--again] [--forks]
 *
 * Several threads own stripes of the arena in turn, so that they share huge
 * pages, and never touch another's: each one's records depend on it alone.
 * --keep leaves out all other steps; --say prints each step as a line. --again: what the
 * kernel writes into a page while another thread splits it may fail or come up short where
 * userfaultfd is not to be had in full (docs/ARCHITECTURE.md 5), and is tried again.
 * --forks: some steps fork (differ-fork.h), and nothing large is shared.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/semantics/differ-fork.h"

#define STRIPE_PAGES ((size_t)96)

static struct {
	const char *log;
	unsigned first, seeds, steps, threads;
	bool say, again, forks;
	bool *keep;		/* NULL: all */
} options = { .seeds = 1, .steps = 200, .threads = 1 };

static struct self selves[THREADS_MAX];
static struct record *records;		/* [thread][step], of one seed */

/* ALONE: not with several threads; FORKS: with --forks. */
enum when { ALWAYS, ALONE, FORKS };

struct op {
	void (*call)(struct self *s);
	unsigned weight;
	enum when when;
};

static const struct op ops[] = {
	{ call_map_hint, 6, ALWAYS },	{ call_map_fixed, 6, ALWAYS },
	{ call_map_noreplace, 2, ALWAYS },	{ call_map_trim, 2, ALWAYS },
	{ call_map_file, 2, ALWAYS },	{ call_unmap, 8, ALWAYS },
	{ call_protect, 12, ALWAYS },	{ call_remap, 14, ALWAYS },
	{ call_advise, 16, ALWAYS },	{ call_posix_advise, 1, ALWAYS },
	{ call_process_advise, 2, ALWAYS },	{ call_lock, 2, ALWAYS },
	{ call_sync, 2, ALWAYS },	{ call_in_core, 3, ALWAYS },
	{ call_bind, 1, ALWAYS },	{ call_remap_file, 2, ALONE },
	{ call_name, 1, ALWAYS },	{ call_attach, 2, ALONE },
	{ call_detach, 1, ALONE },	{ call_fill, 14, ALWAYS },
	{ call_patch, 8, ALWAYS },	{ call_look, 6, ALWAYS },
	{ call_kernel, 12, ALWAYS },	{ call_wrong, 2, ALWAYS },
	{ call_fork, 5, FORKS },
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

/* One step ------------------------------------------------------------------------- */

static unsigned weight_of(size_t op)
{
	return ops[op].when == FORKS && !options.forks ? 0 : ops[op].weight;
}

/* The first seeds of a xorshift are alike; this parts them. */
static uint64_t scattered(uint64_t v)
{
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return (v ^ v >> 31) | 1;
}

static size_t draw_op(struct self *s)
{
	unsigned total = 0, at;
	size_t i;

	for (i = 0; i < OPS; i++)
		total += weight_of(i);
	at = (unsigned)below(s, total);
	for (i = 0; at >= weight_of(i); i++)
		at -= weight_of(i);
	return i;
}

static void draw_window(struct self *s)
{
	size_t stripes = ARENA_PAGES / STRIPE_PAGES, stripe;

	s->lo = 0;
	s->hi = ARENA_PAGES;
	if (s->threads == 1)
		return;
	stripe = below(s, stripes / s->threads) * s->threads + s->no;
	s->lo = stripe * STRIPE_PAGES;
	s->hi = s->lo + STRIPE_PAGES;
}

static void say(const struct self *s)
{
	const struct record *r = s->record;

	printf("%u.%u.%u %s = %lld errno %d hash %016llx\n", r->seed, r->thread, r->step, s->note,
	       (long long)r->result, r->error, (unsigned long long)r->hash);
	fflush(stdout);
}

static void step(struct self *s)
{
	static _Thread_local char note[NOTE_BYTES];
	size_t op;

	s->random = scattered((uint64_t)s->seed << 40 ^ (uint64_t)s->no << 32 ^ s->step);
	s->note = options.say ? note : NULL;
	note[0] = '\0';
	draw_window(s);
	op = draw_op(s);
	s->record->op = (uint16_t)op;
	if (ops[op].when == ALONE && s->threads > 1)
		skipped(s);
	else
		ops[op].call(s);
	if (s->note)
		say(s);
}

static void *run_thread(void *arg)
{
	struct self *s = arg;

	self = s;
	for (s->step = 0; s->step < options.steps; s->step++) {
		s->record = &records[(size_t)s->no * (options.steps + 1) + s->step];
		*s->record = (struct record){ .seed = s->seed, .step = s->step,
					      .thread = (uint16_t)s->no };
		if (!options.keep || options.keep[s->step])
			step(s);
	}
	return NULL;
}

/* One seed ------------------------------------------------------------------------- */

/* Where the program starts: memory as most programs get it, and something in it. */
static void set_up(unsigned seed)
{
	bool shared = seed % 4 == 3 && !options.forks;
	int flags = MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE);
	void *at = mmap(page_at(0), ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (at != page_at(0))
		exit(71);
	selves[0].next_id = 0;
	model_map(&selves[0], 0, ARENA_PAGES, type_of(flags), PROT_READ | PROT_WRITE);
	for (size_t i = 0; i < ARENA_PAGES; i += 7)
		*(volatile uint64_t *)page_at(i) = i;
}

static void fill_file(int file)
{
	static uint64_t words[WORDS];

	if (ftruncate(file, 0) < 0)
		exit(72);
	for (size_t i = 0; i < FILE_PAGES; i++) {
		words[0] = words[WORDS - 1] = i;
		if (pwrite(file, words, i + 1 < FILE_PAGES ? PAGE : 100, (off_t)(i * PAGE)) < 0)
			exit(72);
	}
}

/* All that the arena holds at the end, in one more record of thread 0. */
static void look_at_all(struct self *s)
{
	s->lo = 0;
	s->hi = ARENA_PAGES;
	s->record = &records[options.steps];
	*s->record = (struct record){ .seed = s->seed, .step = options.steps, .op = OPS };
	for (size_t i = 0; i < ARENA_PAGES; i++)
		touch_look(s, i);
	s->record->result = munmap(page_at(0), ARENA_PAGES * PAGE);
}

static void run_seed(unsigned seed, FILE *log)
{
	pthread_t thread[THREADS_MAX];

	set_up(seed);
	for (unsigned i = 0; i < options.threads; i++) {
		struct self *s = &selves[i];

		s->seed = seed;
		s->no = i;
		s->threads = options.threads;
		s->again = options.again;
		s->forks = options.forks;
		s->next_id = i << 24 | 1;
		fill_file(s->file);
	}
	for (unsigned i = 1; i < options.threads; i++)
		if (pthread_create(&thread[i], NULL, run_thread, &selves[i]))
			exit(73);
	run_thread(&selves[0]);
	for (unsigned i = 1; i < options.threads; i++)
		pthread_join(thread[i], NULL);
	look_at_all(&selves[0]);
	fwrite(records, sizeof(*records), options.threads * (options.steps + 1), log);
	fflush(log);
}

/* Start ---------------------------------------------------------------------------- */

static void parse_keep(char *list)
{
	options.keep = calloc(options.steps + 1, sizeof(*options.keep));
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ","))
		if ((unsigned)atoi(word) <= options.steps)
			options.keep[atoi(word)] = true;
}

static bool parse_switch(const char *word)
{
	static const struct {
		const char *word;
		bool *on;
	} switches[] = { { "--say", &options.say }, { "--again", &options.again },
			 { "--forks", &options.forks } };

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (!strcmp(word, switches[i].word))
			return *switches[i].on = true;
	return false;
}

static void parse(int argc, char **argv)
{
	char *keep = NULL;

	for (int i = 1; i < argc; i++) {
		char *value = i + 1 < argc ? argv[i + 1] : argv[i];

		if (parse_switch(argv[i]))
			continue;
		if (!strcmp(argv[i], "--log"))
			options.log = value;
		else if (!strcmp(argv[i], "--first"))
			options.first = (unsigned)atoi(value);
		else if (!strcmp(argv[i], "--seeds"))
			options.seeds = (unsigned)atoi(value);
		else if (!strcmp(argv[i], "--steps"))
			options.steps = (unsigned)atoi(value);
		else if (!strcmp(argv[i], "--threads"))
			options.threads = (unsigned)atoi(value);
		else if (!strcmp(argv[i], "--keep"))
			keep = value;
		else
			exit(64);
		i++;
	}
	if (!options.log || options.threads < 1 || options.threads > THREADS_MAX)
		exit(64);
	if (keep)
		parse_keep(keep);
}

static void open_files(struct self *s)
{
	s->file = memfd_create("differ", MFD_CLOEXEC);
	s->pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (s->file < 0 || s->pidfd < 0 || pipe2(s->pipe, O_CLOEXEC | O_NONBLOCK))
		exit(74);
}

int main(int argc, char **argv)
{
	FILE *log;

	parse(argc, argv);
	log = fopen(options.log, "w");
	records = calloc(options.threads * (options.steps + 1), sizeof(*records));
	if (!log || !records)
		return 75;
	touch_start();
	for (unsigned i = 0; i < options.threads; i++)
		open_files(&selves[i]);
	for (unsigned seed = options.first; seed < options.first + options.seeds; seed++)
		run_seed(seed, log);
	return fclose(log) ? 75 : 0;
}
