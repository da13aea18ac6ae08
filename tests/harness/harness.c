/* SPDX-License-Identifier: MIT */
/*
 * harness.c - finds the tests of a program, runs them, prints one line for each
 *
 * Three processes: the supervisor (main) waits and, should the runner stop us, puts
 * the machine back; the middle one drives libcheck, which forks each test; after
 * each, the middle one undoes what the test logged (undo.h) and gives back the pool.
 *
 * Lines: "ok NAME", "not ok NAME: why", "skip NAME: need". Exit: 0, 1 when a test
 * failed, 77 when all were skipped.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"
#include "tests/harness/undo.h"
#include "tests/harness/verdict.h"

enum { FDS_MAX = 1024, EXIT_SKIPPED = 77 };

/* Kept in the order of the source, whatever order constructors ran in. */
static struct harness_test *tests;
static const struct harness_test *current;
static volatile sig_atomic_t stopped_by;

void harness_register(struct harness_test *test)
{
	struct harness_test **at = &tests;

	while (*at && (*at)->line < test->line)
		at = &(*at)->next;
	test->next = *at;
	*at = test;
}

const char *harness_build_path(const char *file)
{
	static char path[4096];
	const char *build = getenv("HRESV_BUILD");
	char self[2048];
	ssize_t bytes;

	if (build) {
		snprintf(path, sizeof(path), "%s/%s", build, file);
		return path;
	}
	/* We are BUILD/tests/DIR/test-X. */
	bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[bytes < 0 ? 0 : bytes] = '\0';
	for (int up = 0; up < 3; up++)
		if (strrchr(self, '/'))
			*strrchr(self, '/') = '\0';
	snprintf(path, sizeof(path), "%s/%s", self, file);
	return path;
}

/* Sets open[fd] for each descriptor there is, but the one that looks. */
static void list_descriptors(bool open_fds[FDS_MAX])
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	memset(open_fds, 0, FDS_MAX);
	while (d && (e = readdir(d)) != NULL) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] != '.' && fd < FDS_MAX && fd != dirfd(d))
			open_fds[fd] = true;
	}
	if (d)
		closedir(d);
}

static void expect_no_new_descriptor(const bool before[FDS_MAX])
{
	bool now[FDS_MAX];

	list_descriptors(now);
	for (int fd = 0; fd < FDS_MAX; fd++) {
		char link[64], target[256];
		ssize_t bytes;

		if (!now[fd] || before[fd])
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		bytes = readlink(link, target, sizeof(target) - 1);
		target[bytes < 0 ? 0 : bytes] = '\0';
		FAIL("%s leaves descriptor %d open (%s)", current->name, fd, target);
	}
}

/* What libcheck runs in the test's own process. */
START_TEST(run_current)
{
	bool before[FDS_MAX];

	atomic_store(&verdict()->group, getpid());
	if (verdict()->quiet) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, STDERR_FILENO);
		close(null);
	}
	list_descriptors(before);
	current->run();
	expect_no_new_descriptor(before);
}
END_TEST

/* True if libcheck is content; else why holds its reason. */
static bool run_in_libcheck(const struct harness_test *t, char *why, size_t bytes)
{
	Suite *suite = suite_create(t->name);
	TCase *tcase = tcase_create(t->name);
	SRunner *runner;
	TestResult **results;
	bool passed;

	tcase_set_timeout(tcase, t->timeout_secs);
	if (t->death_signal)
		tcase_add_test_raise_signal(tcase, run_current, t->death_signal);
	else
		tcase_add_test(tcase, run_current);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_SILENT);
	results = srunner_results(runner);
	passed = tr_rtype(results[0]) == CK_PASS;
	snprintf(why, bytes, "%s", passed ? "" : tr_msg(results[0]));
	free(results);
	srunner_free(runner);
	return passed;
}

static bool put_back(void)
{
	bool undone = undo_all();

	pool_unlock();
	return undone;
}

/* 0, 1 or EXIT_SKIPPED. */
static int run_test(const struct harness_test *t)
{
	char why[1024], left[256] = "";
	struct verdict *v = verdict();
	bool passed, clean, undone;

	current = t;
	verdict_clear(t->must_fail);
	passed = run_in_libcheck(t, why, sizeof(why));
	atomic_store(&v->group, 0);
	undone = undo_all();
	clean = pool_check(left, sizeof(left));
	pool_unlock();

	if (v->skipped) {
		printf("skip %s: %s\n", t->name, v->need);
		return EXIT_SKIPPED;
	}
	if (v->failures > 0) {
		passed = false;
		snprintf(why, sizeof(why), "%s", v->first);
	} else if (!clean) {
		passed = false;
		snprintf(why, sizeof(why), "%s", left);
	}
	if (t->must_fail) {
		passed = !passed;
		snprintf(why, sizeof(why), "was expected to fail, and passed");
	}
	/* Not undoing is a fault of the machine or the harness: never expected. */
	if (!undone) {
		passed = false;
		snprintf(why, sizeof(why), "what it changed could not be put back");
	}
	if (passed)
		printf("ok %s\n", t->name);
	else
		printf("not ok %s: %s\n", t->name, why);
	return passed ? 0 : 1;
}

static bool is_wanted(const struct harness_test *t, char **names, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], t->name))
			return true;
	return n == 0;
}

static int run_wanted(char **names, int n)
{
	unsigned ran = 0, skipped = 0, failed = 0;

	for (const struct harness_test *t = tests; t; t = t->next) {
		int result;

		if (!is_wanted(t, names, n))
			continue;
		ran++;
		result = run_test(t);
		fflush(stdout);
		failed += result == 1;
		skipped += result == EXIT_SKIPPED;
	}
	if (ran == 0) {
		fprintf(stderr, "harness: no such test\n");
		return 1;
	}
	return failed > 0 ? 1 : skipped == ran ? EXIT_SKIPPED : 0;
}

static void on_stop(int signal)
{
	stopped_by = signal;
}

/* Told to stop: end the test's group and the middle process, then put back. */
static void stop(pid_t middle)
{
	pid_t group = atomic_load(&verdict()->group);

	kill(middle, SIGKILL);
	waitpid(middle, NULL, 0);
	if (group > 0)
		kill(-group, SIGKILL);
	put_back();
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_stop };
	int status;
	pid_t middle;

	if (program_main(&status))
		return status;
	if (argc > 1 && !strcmp(argv[1], "--list")) {
		for (const struct harness_test *t = tests; t; t = t->next)
			puts(t->name);
		return 0;
	}
	fflush(stdout);
	middle = fork();
	if (middle < 0) {
		perror("harness: fork");
		return 2;
	}
	if (middle == 0)
		exit(run_wanted(argv + 1, argc - 1));

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	while (waitpid(middle, &status, 0) < 0) {
		if (!stopped_by)
			continue;
		stop(middle);
		return 128 + stopped_by;
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	put_back();
	printf("not ok harness: died of signal %d\n", WTERMSIG(status));
	return 1;
}
