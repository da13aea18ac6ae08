/* SPDX-License-Identifier: MIT */
/*
 * check_trial.c - a run of the program, to learn what it asks for; see check.h
 *
 * Each process of it that ends by exit(3) leaves its numbers (HUGETLB_STATS) in a
 * directory of ours. What they wanted is added up: they may have run at once.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/decide/request.h"
#include "tools/check.h"
#include "tools/command.h"
#include "tools/json_read.h"
#include "tools/library.h"

static volatile sig_atomic_t child;

/* Who stops the trial means the program; we stay, to tell what it asked for. */
static void pass_on(int number)
{
	if (child > 0)
		kill(child, number);
}

static void become(const struct check *c, const char *directory)
{
	char *list = c->library ? library_preload(getenv("LD_PRELOAD"), c->library) : NULL;
	char *stats;

	if (asprintf(&stats, "%s/%%p", directory) < 0 || !list)
		_exit(127);
	setenv("LD_PRELOAD", list, 1);
	setenv("HUGETLB_STATS", stats, 1);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execvp(c->argv[0], c->argv);
	fprintf(stderr, "hresv check: %s: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

static int run(const struct check *c, const char *directory)
{
	struct sigaction pass = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
	struct sigaction old[2];
	int status;

	fflush(NULL);
	child = fork();
	if (child == 0)
		become(c, directory);
	if (child < 0)
		return -1;
	sigaction(SIGTERM, &pass, &old[0]);
	sigaction(SIGINT, &(struct sigaction){ .sa_handler = SIG_IGN }, &old[1]);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	sigaction(SIGTERM, &old[0], NULL);
	sigaction(SIGINT, &old[1], NULL);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool is_shortage(struct span why)
{
	for (int r = 1; r < REASON_N; r++)
		if (span_equal(why, reason_name((enum reason)r)))
			return reason_is_shortage((enum reason)r);
	return false;
}

/*
 * What a single request lacked, at the most. The count of what was wanted at once
 * leaves shared memory out, of which a database has one large piece.
 */
static uint64_t most_lacked(const struct json_node *tree)
{
	const struct json_node *list = json_member(tree, "decisions");
	uint64_t most = 0;

	for (const struct json_node *d = list ? list->first : NULL; d; d = d->next) {
		const uint64_t asked = json_number(d, "asked"), huge = json_number(d, "huge");

		if (is_shortage(json_string(d, "why")) && asked > huge && asked - huge > most)
			most = asked - huge;
	}
	return most;
}

static void take(struct check *c, struct span text)
{
	struct json_node *tree;
	uint64_t wanted, lacked;

	if (json_parse(text, &tree) != 0)
		return;
	wanted = json_number(tree, "wanted_pages") * json_number(tree, "page_bytes");
	lacked = json_number(tree, "huge_peak") + most_lacked(tree);
	c->trial_told |= json_member(tree, "wanted_pages") != NULL;
	c->asked_bytes += wanted > lacked ? wanted : lacked;
	c->huge_bytes += json_number(tree, "huge_peak");
	json_free(tree);
}

/* Reads what was left, and removes it. */
static void collect(struct check *c, const char *directory)
{
	DIR *d = opendir(directory);

	for (struct dirent *e; d && (e = readdir(d));) {
		struct blob text = { 0 };
		char *path;

		if (e->d_name[0] == '.' || asprintf(&path, "%s/%s", directory, e->d_name) < 0)
			continue;
		if (blob_read_file(path, &text) == 0)
			take(c, (struct span){ text.at, text.bytes });
		blob_free(&text);
		unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
	rmdir(directory);
}

void check_trial(struct check *c)
{
	const char *tmp = getenv("TMPDIR");
	char *directory;
	int status;

	if (asprintf(&directory, "%s/hresv-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0)
		exit(command_failed("out of memory"));
	if (!mkdtemp(directory)) {
		advice_say(check_add(c), TROUBLE_TRIAL, "no directory for the trial: %s", strerror(errno));
		free(directory);
		return;
	}
	status = run(c, directory);
	collect(c, directory);
	free(directory);
	if (status > 128)
		advice_say(check_add(c), TROUBLE_TRIAL, "it died of signal %d (%s) in its trial",
			   status - 128, strsignal(status - 128));
	else if (status)
		advice_say(check_add(c), TROUBLE_TRIAL, "it ended with %d in its trial", status);
	if (!c->need_bytes)
		c->need_bytes = c->asked_bytes;
}
