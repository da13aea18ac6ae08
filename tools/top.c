/* SPDX-License-Identifier: MIT */
/*
 * top.c - hresv top: who has huge pages, who lacks them, again and again
 *
 * Looking costs time of a processor, and more with more processes: after a round that
 * took t there is none for at least 100 t, so it stays below 1 % of a core.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tools/command.h"
#include "tools/system.h"
#include "tools/table.h"
#include "tools/watch.h"

#define ROUND_SHARE 100
#define COLUMNS_FOR_ALL 112

static const char usage[] =
	"top [--delay SECONDS] [--count ROUNDS] [--json]\n"
	"\n"
	"Pools, and the processes that have huge pages or asked for them, most first;\n"
	"q ends it. Written to a file or a pipe: one round, unless --count says more.\n"
	"\n"
	"  --delay SECONDS   between rounds (2); longer where a round takes long\n"
	"  --count ROUNDS    end after so many\n"
	"  --json            one object a line for each round\n";
static const struct command me = { .name = "top" };

struct wish {
	double delay;
	uint64_t rounds;		/* 0: until told to end */
	bool json;
};

static volatile sig_atomic_t ending;

static void on_signal(int number)
{
	if (number != SIGWINCH)
		ending = 1;
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The terminal as we found it, from any exit. */
static struct {
	bool changed;
	struct termios was;
} terminal;

static void terminal_leave(void)
{
	if (!terminal.changed)
		return;
	terminal.changed = false;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(0, TCSANOW, &terminal.was);
}

static void terminal_enter(void)
{
	struct termios now;

	if (!isatty(0) || tcgetattr(0, &terminal.was) != 0)
		return;
	now = terminal.was;
	now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	if (tcsetattr(0, TCSANOW, &now) != 0)
		return;
	terminal.changed = true;
	atexit(terminal_leave);
	fputs("\033[?1049h\033[?25l", stdout);
}

/* True when it is time to end: a key, a signal, or the last round. */
static bool wait_for_end(double seconds)
{
	struct pollfd keys = { .fd = terminal.changed ? 0 : -1, .events = POLLIN };
	char key;
	int n;

	/* Less than a millisecond is a millisecond; more than a day, a day. */
	n = poll(&keys, 1, seconds > 86400 ? 86400000 : (int)(seconds * 1000) + 1);
	if (ending)
		return true;
	if (n < 0)
		return errno != EINTR;
	return n > 0 && (read(0, &key, 1) != 1 || key == 'q' || key == 'Q');
}

static int most_first(const void *a, const void *b)
{
	const struct watched *x = *(const struct watched *const *)a;
	const struct watched *y = *(const struct watched *const *)b;
	const uint64_t p = x->status.hugetlb_bytes, q = y->status.hugetlb_bytes;

	if (p != q)
		return p > q ? -1 : 1;
	if (x->wanted_bytes != y->wanted_bytes)
		return x->wanted_bytes > y->wanted_bytes ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Those to tell of, sorted; the caller frees it. */
static const struct watched **select_some(const struct watch *w, size_t *ret_n)
{
	const struct watched **some = calloc(w->n ? w->n : 1, sizeof(struct watched *));
	size_t n = 0;

	if (!some)
		exit(command_failed("out of memory"));
	for (size_t i = 0; i < w->n; i++)
		if (w->at[i].seen && watched_matters(&w->at[i]))
			some[n++] = &w->at[i];
	if (n)
		qsort(some, n, sizeof(struct watched *), most_first);
	*ret_n = n;
	return some;
}

/* Bytes that processes wanted huge at their fullest moments and have not so now. */
static uint64_t missing(const struct watched *const *some, size_t n)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		if (some[i]->wanted_bytes > some[i]->huge_now)
			bytes += some[i]->wanted_bytes - some[i]->huge_now;
	return bytes;
}

static void print_pools(const struct screen *on, const struct system *s, uint64_t lacking)
{
	for (size_t i = 0; i < s->sizes.n; i++) {
		const struct pool *p = &s->pools[i];
		const size_t page = s->sizes.bytes[i];

		if (s->pool_err[i] || (!p->total && !p->overcommit && page != s->sizes.default_bytes))
			continue;
		fprintf(on->to, "pool of %s: %" PRIu64 " pages, %" PRIu64 " free, %" PRIi64
			" reserved", size_text(page).text, p->total, p->free, (int64_t)p->reserved);
		if (p->surplus)
			fprintf(on->to, ", %" PRIu64 " surplus", p->surplus);
		fputc('\n', on->to);
		if (p->impossible) {
			screen_ink(on, INK_BAD);
			fprintf(on->to, "  impossible: %s", system_complaint(p));
			screen_ink(on, INK_PLAIN);
			fputc('\n', on->to);
		}
		if (page == s->sizes.default_bytes && lacking)
			fprintf(on->to, "for all of it to be huge: at most %" PRIu64
				" pages more, %" PRIu64 " in all\n", (lacking + page - 1) / page,
				p->total + (lacking + page - 1) / page);
	}
}

static void print_process(struct table *t, const struct watched *p, bool all)
{
	const uint64_t small = report_small(p->total.small);

	table_format(t, INK_PLAIN, "%d", (int)p->pid);
	if (all)
		table_format(t, INK_PLAIN, "%u", (unsigned)p->status.uid);
	table_size(t, p->status.hugetlb_bytes ? INK_GOOD : INK_PLAIN, p->status.hugetlb_bytes);
	table_size(t, INK_PLAIN, p->status.rss_bytes);
	table_size(t, INK_PLAIN, p->total.asked);
	table_size(t, small ? INK_WARN : INK_PLAIN, small);
	if (all) {
		table_count(t, INK_PLAIN, p->promoted);
		table_count(t, INK_PLAIN, p->demoted);
		table_count(t, INK_PLAIN, p->copied);
		table_count(t, INK_PLAIN, p->rescued);
	}
	table_text(t, INK_PLAIN, p->in_use ? (p->main_reason ? reason_name(p->main_reason) : "") :
					     p->has_page ? "" : "no libhresv");
	table_text(t, INK_PLAIN, p->status.name);
}

static void print_round(const struct screen *on, const struct system *s, const struct watch *w)
{
	static const char *const all_heads[] = { "pid", "user", "huge", "other", "asked",
						 "not huge", "promoted", "demoted", "copied",
						 "rescued", "why", "name" };
	static const char *const few_heads[] = { "pid", "huge", "other", "asked", "not huge",
						 "why", "name" };
	const bool all = on->columns >= COLUMNS_FOR_ALL;
	const char *const *heads = all ? all_heads : few_heads;
	struct table t;
	size_t n;
	const struct watched **some = select_some(w, &n);

	print_pools(on, s, missing(some, n));
	fprintf(on->to, "%zu processes, %zu with huge pages or asking for them\n\n", w->n, n);
	table_start(&t, on, all ? "rrrrrrrrrrll" : "rrrrrll");
	for (size_t i = 0; i < t.columns; i++)
		table_text(&t, INK_TITLE, heads[i]);
	for (size_t i = 0; i < n; i++)
		print_process(&t, some[i], all);
	table_print(&t, SIZE_MAX);
	free(some);
}

/* As many lines as there are on the screen, each over what stood there. */
static void draw(const struct screen *on, const struct system *s, const struct watch *w)
{
	struct screen page = *on;
	char *text = NULL, *line, *rest;
	size_t bytes = 0, left = on->lines;

	page.to = open_memstream(&text, &bytes);
	if (!page.to)
		return;
	print_round(&page, s, w);
	fclose(page.to);
	fputs("\033[H", on->to);
	for (rest = text; left && (line = strsep(&rest, "\n")) && rest; left--)
		fprintf(on->to, "%s\033[K%s", line, left > 1 ? "\n" : "");
	fputs("\033[J", on->to);
	fflush(on->to);
	free(text);
}

static void pools_json(struct json *j, const struct system *s)
{
	json_list(j, "pools");
	for (size_t i = 0; i < s->sizes.n; i++) {
		if (s->pool_err[i])
			continue;
		json_object(j, NULL);
		json_u64(j, "page_bytes", s->sizes.bytes[i]);
		json_u64(j, "total", s->pools[i].total);
		json_u64(j, "free", s->pools[i].free);
		json_u64(j, "reserved", s->pools[i].reserved);
		json_u64(j, "surplus", s->pools[i].surplus);
		json_bool(j, "impossible", s->pools[i].impossible);
		json_end_object(j);
	}
	json_end_list(j);
}

static void round_json(const struct system *s, const struct watch *w)
{
	struct json j;
	size_t n;
	const struct watched **some = select_some(w, &n);

	json_start(&j, stdout);
	j.compact = true;
	json_object(&j, NULL);
	pools_json(&j, s);
	json_u64(&j, "missing_bytes", missing(some, n));
	json_list(&j, "processes");
	for (size_t i = 0; i < n; i++) {
		json_object(&j, NULL);
		json_u64(&j, "pid", (uint64_t)some[i]->pid);
		json_text(&j, "name", some[i]->status.name);
		json_u64(&j, "uid", some[i]->status.uid);
		json_u64(&j, "huge", some[i]->status.hugetlb_bytes);
		json_u64(&j, "other", some[i]->status.rss_bytes);
		json_bool(&j, "libhresv", some[i]->has_page);
		json_u64(&j, "asked", some[i]->total.asked);
		json_u64(&j, "not_huge", report_small(some[i]->total.small));
		json_text(&j, "why", reason_name(some[i]->main_reason));
		json_u64(&j, "promoted", some[i]->promoted);
		json_u64(&j, "demoted", some[i]->demoted);
		json_u64(&j, "fork_copies", some[i]->copied);
		json_u64(&j, "rescued", some[i]->rescued);
		json_end_object(&j);
	}
	json_end_list(&j);
	json_end_object(&j);
	fflush(stdout);
	free(some);
}

static void show(struct screen *on, const struct system *s, const struct watch *w,
		 const struct wish *wish)
{
	if (wish->json) {
		round_json(s, w);
		return;
	}
	screen_measure(on);
	if (terminal.changed) {
		draw(on, s, w);
	} else {
		print_round(on, s, w);
		fflush(on->to);
	}
}

static int rounds(const struct wish *wish)
{
	struct screen on;
	struct watch w = { 0 };
	struct system s = { 0 };
	double took;
	int err = 0;

	screen_start(&on, stdout);
	if (on.terminal && !wish->json)
		terminal_enter();
	for (uint64_t left = wish->rounds; !ending && !ferror(stdout);) {
		const double from = cpu_seconds();

		system_read(0, &s);
		err = watch_round(&w);
		if (err)
			break;
		show(&on, &s, &w, wish);
		system_free(&s);
		if (left && --left == 0)
			break;
		took = (cpu_seconds() - from) * ROUND_SHARE;
		if (wait_for_end(took > wish->delay ? took : wish->delay))
			break;
	}
	terminal_leave();
	system_free(&s);
	watch_free(&w);
	return err ? command_failed("/proc: %s", strerror(-err)) : EXIT_FINE;
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

static int top_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct wish wish = { .delay = 2, .rounds = isatty(1) ? 0 : 1 };
	char *end;
	int option;

	while ((option = getopt_long(argc, argv, "d:n:", options, NULL)) != -1)
		switch (option) {
		case 'd':
			wish.delay = strtod(optarg, &end);
			if (end == optarg || *end || !(wish.delay >= 0.1 && wish.delay <= 86400))
				return command_misused(&me, "--delay takes 0.1 to 86400 seconds");
			break;
		case 'n':
			if (text_u64(span_of(optarg), &wish.rounds) != 0 || !wish.rounds)
				return command_misused(&me, "--count takes a number from 1 on");
			break;
		case 'j':
			wish.json = true;
			break;
		default:
			return command_misused(&me, "no such option");
		}
	if (optind != argc)
		return command_misused(&me, "'%s' is too much", argv[optind]);
	catch_signals();
	return rounds(&wish);
}

COMMAND(top, .name = "top", .line = "who has huge pages and who lacks them, refreshed",
	.usage = usage, .run = top_main);
