/* SPDX-License-Identifier: MIT */
/* The sealed configuration: what it leans on, what it costs, who speaks, and racing threads. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "tests/unit/roots.h"

TEST(conf_null_environment_is_the_defaults)
{
	struct conf defaults, c;

	conf_defaults(&defaults);
	conf_parse(NULL, NULL, NULL, &c);
	EXPECT_EQ(memcmp(&c, &defaults, sizeof(c)), 0);
}

TEST(conf_seal_under_at_secure_turns_everything_off)
{
	char *block[] = { (char *)"HUGETLB_MMAP=yes", (char *)"HUGETLB_VERBOSE=9", NULL };
	const struct conf *c;

	faults_arm_from(1, EIO);
	REQUIRE_EQ(conf_seal(block, NULL, true, &c), 0);
	EXPECT_FALSE(faults_fired());	/* not one system call */
	EXPECT_TRUE(c->secure);
	EXPECT_FALSE(c->active);
	EXPECT_FALSE(c->mmap.on);
	EXPECT_EQ(c->verbose, 0);
	conf_unseal(c);
}

TEST(conf_seal_without_variables_costs_no_system_call)
{
	char *block[] = { (char *)"PATH=/bin", (char *)"HUGETL=1", NULL };
	const struct conf *c;

	faults_arm_from(1, EIO);
	REQUIRE_EQ(conf_seal(block, NULL, false, &c), 0);
	EXPECT_FALSE(faults_fired());
	EXPECT_TRUE(c->active);
	conf_unseal(c);
}

TEST(conf_seal_leans_on_nothing_in_the_environment)
{
	char path[] = "HUGETLB_PATH=/mnt/huge", stats[] = "HUGETLB_STATS=/tmp/s";
	char *block[] = { path, stats, NULL };
	const struct conf *c;

	REQUIRE_EQ(conf_seal(block, NULL, false, &c), 0);
	memset(path, 'x', sizeof(path) - 1);
	memset(stats, 'x', sizeof(stats) - 1);
	EXPECT_STR_EQ(c->paths, "/mnt/huge");
	EXPECT_STR_EQ(c->stats, "/tmp/s");
	EXPECT_EQ(c->share_path, NULL);
	conf_unseal(c);
}

TEST_SIGNAL(conf_sealed_cannot_be_written, SIGSEGV)
{
	char *block[] = { (char *)"HUGETLB_LIMIT=1G", NULL };
	const struct conf *c;

	REQUIRE_EQ(conf_seal(block, NULL, false, &c), 0);
	*(volatile bool *)(uintptr_t)&c->active = false;
}

TEST(conf_seal_reads_the_executable_only_when_restricted)
{
	char restricted[] = "HUGETLB_RESTRICT_EXE=test-conf-sealed", other[] = "HUGETLB_RESTRICT_EXE=other";
	char *block[] = { restricted, NULL };
	char *others[] = { other, NULL };
	char *limited[] = { (char *)"HUGETLB_LIMIT=1G", NULL };
	const struct conf *c;

	REQUIRE_EQ(conf_seal(block, NULL, false, &c), 0);
	EXPECT_TRUE(c->active);
	conf_unseal(c);
	REQUIRE_EQ(conf_seal(others, NULL, false, &c), 0);
	EXPECT_TRUE(c->filtered);
	conf_unseal(c);
	faults_arm_call(SYS_readlinkat, 1, EACCES);
	REQUIRE_EQ(conf_seal(block, NULL, false, &c), 0);
	EXPECT_TRUE(faults_fired());
	EXPECT_TRUE(c->filtered);	/* not known to be one of those named */
	conf_unseal(c);
	faults_arm_call(SYS_readlinkat, 1, EACCES);
	REQUIRE_EQ(conf_seal(limited, NULL, false, &c), 0);
	EXPECT_FALSE(faults_fired());
	conf_unseal(c);
}

TEST(conf_seal_leaks_nothing_whichever_call_fails)
{
	char restricted[] = "HUGETLB_RESTRICT_EXE=test-conf-sealed";
	char *block[] = { restricted, (char *)"HUGETLB_PATH=/x", NULL };
	const struct conf *c = NULL;
	int err;

	FAILS_EACH_CALL(ENOMEM, c = NULL; err = conf_seal(block, NULL, false, &c),
			{
				if (err) {
					EXPECT_EQ(err, -ENOMEM);
					EXPECT_EQ(c, NULL);
				} else {
					EXPECT_STR_EQ(c->paths, "/x");
					conf_unseal(c);
				}
			},
			{
				EXPECT_TRUE(c->active);
				conf_unseal(c);
			});
}

/* Below: conf_get(), which reads the process' own environment, once. */

extern char **environ;

static char lines[4000];

static long catch_lines(long nr, const long args[6], bool *ret_handled)
{
	if (nr != SYS_write || args[0] != 2)
		return 0;
	*ret_handled = true;
	strncat(lines, (const char *)args[1], (size_t)args[2]);
	return args[2];
}

TEST(conf_get_says_what_is_wrong_in_a_line_each)
{
	clearenv();
	setenv("HUGETLB_MMAP_MIN", "12Q", 1);
	setenv("HUGETLB_FALLBACK", "a\033[31m\nb", 1);
	sys_set_hook(catch_lines);
	REQUIRE_NE(conf_get(), NULL);
	conf_get();
	sys_set_hook(NULL);
	EXPECT_STR_EQ(lines,
		      "libhresv: HUGETLB_MMAP_MIN=\"12Q\" is not a size; using the default (one huge "
		      "page)\n"
		      "libhresv: HUGETLB_FALLBACK=\"a?[31m?b\" is none of its words; using the default "
		      "(thp)\n");
}

TEST(conf_get_line_of_a_huge_value_still_says_what_is_used)
{
	char value[5001];

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	clearenv();
	setenv("HUGETLB_LIMIT", value, 1);
	sys_set_hook(catch_lines);
	REQUIRE_NE(conf_get(), NULL);
	sys_set_hook(NULL);
	EXPECT_CONTAINS(lines, "vvv...\" is not a size; using the default (no limit)\n");
}

TEST(conf_get_in_a_filtered_program_says_nothing)
{
	clearenv();
	setenv("HUGETLB_RESTRICT_EXE", "other", 1);
	setenv("HUGETLB_LIMIT", "x", 1);
	sys_set_hook(catch_lines);
	REQUIRE_NE(conf_get(), NULL);
	sys_set_hook(NULL);
	EXPECT_FALSE(conf_get()->active);
	EXPECT_STR_EQ(lines, "");
}

TEST(conf_get_waits_for_an_environment)
{
	char **const saved = environ;

	environ = NULL;
	EXPECT_EQ(conf_get(), NULL);
	environ = saved;
	setenv("HUGETLB_LIMIT", "1G", 1);
	REQUIRE_NE(conf_get(), NULL);
	EXPECT_EQ(conf_get()->limit, GIB);
	setenv("HUGETLB_LIMIT", "2G", 1);
	EXPECT_EQ(conf_get()->limit, GIB);
}

TEST(conf_get_without_memory_tries_again)
{
	setenv("HUGETLB_LIMIT", "1G", 1);
	faults_arm_call(SYS_mmap, 1, ENOMEM);
	EXPECT_EQ(conf_get(), NULL);
	EXPECT_TRUE(faults_fired());
	REQUIRE_NE(conf_get(), NULL);
	EXPECT_EQ(conf_get()->limit, GIB);
}

static pthread_barrier_t barrier;

static void *get(void *unused)
{
	(void)unused;
	pthread_barrier_wait(&barrier);
	return (void *)(uintptr_t)conf_get();
}

static _Atomic int writes, sealed;

static long count_lines(long nr, const long args[6], bool *ret_handled)
{
	sealed += (nr == SYS_mprotect) - (nr == SYS_munmap);
	if (nr != SYS_write || args[0] != 2)
		return 0;
	*ret_handled = true;
	writes++;
	return args[2];
}

TEST(conf_get_racing_threads_get_one_and_one_speaks)
{
	enum { THREADS = 8, ROUNDS = 40 };

	for (int round = 0; round < ROUNDS; round++) {
		pid_t child = fork();	/* each with a conf_get() not yet called */
		int status;

		if (child == 0) {
			pthread_t threads[THREADS];
			void *got[THREADS];

			setenv("HUGETLB_LIMIT", "bad", 1);
			sys_set_hook(count_lines);
			pthread_barrier_init(&barrier, NULL, THREADS);
			for (int i = 0; i < THREADS; i++)
				pthread_create(&threads[i], NULL, get, NULL);
			for (int i = 0; i < THREADS; i++)
				pthread_join(threads[i], &got[i]);
			for (int i = 0; i < THREADS; i++)
				EXPECT_EQ(got[i], got[0]);
			EXPECT_NE(got[0], NULL);
			EXPECT_EQ(writes, 1);
			EXPECT_EQ(sealed, 1);	/* the losers' are gone */
			_exit(0);
		}
		waitpid(child, &status, 0);
		EXPECT_EQ(status, 0);
	}
}
