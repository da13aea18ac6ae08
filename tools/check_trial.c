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
#include "tools/check.h"
#include "tools/command.h"
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

/* The number behind the last @name: in JSON of ours, keys of the whole come last. */
static uint64_t number_of(const char *text, const char *name)
{
	const char *found = NULL;

	for (const char *at = text; (at = strstr(at, name)); at++)
		found = at + strlen(name);
	return found ? strtoull(found, NULL, 10) : 0;
}

static void take(struct check *c, const char *text)
{
	const char *pages = strstr(text, "\"wanted_pages\": "), *size = strstr(text, "\"page_bytes\": ");

	if (!pages || !size)
		return;
	c->trial_told = true;
	c->asked_bytes += strtoull(pages + 16, NULL, 10) * strtoull(size + 14, NULL, 10);
	c->huge_bytes += number_of(text, "\"huge_peak\": ");
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
			take(c, text.at);
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
	else if (!c->trial_told)
		advice_say(check_add(c), TROUBLE_TRIAL, "nothing of it ended by exit(3) under libhresv, so "
							"the trial has told nothing");
	if (!c->need_bytes)
		c->need_bytes = c->asked_bytes;
}
