/* SPDX-License-Identifier: MIT */
/*
 * hresv.conf: what its lines say, whom they concern, and that what is wrong is told by
 * line and column.
 */
#include <errno.h>
#include <sys/stat.h>

#include "core/facts/buildid.h"
#include "core/facts/conf.h"
#include "core/facts/conf_file.h"
#include "tests/unit/roots.h"

static char said[4000];

static void listen(const struct conf_remark *r)
{
	const size_t used = strlen(said);

	snprintf(said + used, sizeof(said) - used, "%s:%u:%u %.*s|%s|%s\n", r->file ? "conf" : "env",
		 r->line, r->column, (int)r->variable.bytes, r->variable.at, r->what,
		 r->used_instead);
}

static const char *write_file(const char *text)
{
	static char path[4096];
	const char *root = tree_make();

	tree_write(root, "hresv.conf", text);
	snprintf(path, sizeof(path), "%s/hresv.conf", root);
	return path;
}

/* What the program /usr/bin/db with build-id ab cd gets of @text, and is told. */
static struct conf parse(const char *text, const char *environment)
{
	static struct conf_file file;
	char *block[] = { (char *)environment, NULL };
	const struct conf_program db = { "/usr/bin/db", { "\xab\xcd", 2 } };
	struct conf c;

	said[0] = '\0';
	REQUIRE_EQ(conf_file_read(write_file(text), &file), 0);
	REQUIRE_EQ(file.error, 0);
	REQUIRE_EQ(conf_file_select(&file, &db), 0);
	conf_parse_with(block, &file, db.exe, listen, &c);
	return c;
}

TEST(conf_file_defaults_concern_every_program)
{
	struct conf c = parse("# ours\n\n  limit = 4G   # at most\nkeep-free=3\n"
			      "HUGETLB_FORK = copy\nMmap_Min\t=\t64K\r\npath = /a #b:/c",
			      NULL);

	EXPECT_EQ(c.limit, 4 * GIB);
	EXPECT_EQ(c.keep_free, 3);
	EXPECT_EQ(c.fork, FORK_COPY);
	EXPECT_EQ(c.mmap_min, 64 * KIB);
	EXPECT_STR_EQ(c.paths, "/a");
	EXPECT_STR_EQ(said, "");
}

TEST(conf_file_value_keeps_blanks_and_number_signs_inside)
{
	EXPECT_STR_EQ(parse("path = /a b#c:/d", NULL).paths, "/a b#c:/d");
}

TEST(conf_file_rules_go_over_defaults_and_the_last_counts)
{
	struct conf c = parse("limit = 1G\nkeep_free = 7\n[/usr/bin/db]\nlimit=2G\nfork=copy\n"
			      "[other]\nlimit=5G\nfork=refuse\n[build-id ABcd]\nlimit = 3G",
			      NULL);

	EXPECT_EQ(c.limit, 3 * GIB);
	EXPECT_EQ(c.keep_free, 7);
	EXPECT_EQ(c.fork, FORK_COPY);
	EXPECT_STR_EQ(said, "");
}

TEST(conf_file_environment_goes_over_rules)
{
	static const char text[] = "[db]\nlimit = 2G\nverbose=0\nrestrict-exe=other";
	struct conf c = parse(text, "HUGETLB_LIMIT=1G");

	EXPECT_EQ(c.limit, GIB);
	EXPECT_TRUE(c.filtered);
	c = parse(text, "HUGETLB_RESTRICT_EXE=db");
	EXPECT_FALSE(c.filtered);
	EXPECT_TRUE(c.active);
	c = parse(text, "HUGETLB_VERBOSE=2");
	EXPECT_EQ(c.verbose, 2);
}

TEST(conf_file_switches_a_program_off_and_the_environment_on_again)
{
	EXPECT_FALSE(parse("[db]\nactive = no", NULL).active);
	EXPECT_TRUE(parse("[dc]\nactive = no", NULL).active);
	EXPECT_TRUE(parse("[db]\nactive = no", "HUGETLB_ACTIVE=yes").active);
}

TEST(conf_file_tells_line_and_column_of_what_is_wrong)
{
	parse("limit = much\n  nonsense = 1\n\nkeep_free\n [db\nfork=copy\n[]\n= 3\nmmap =\n"
	      "[build-id abc]\n[build-id abxd]\n[db]\n\tfallback =\tnone",
	      NULL);
	EXPECT_STR_EQ(said,
		      "conf:13:13 fallback|is none of its words|thp\n"
		      "conf:11:13 [build-id abxd]|is no build-id in hexadecimal|\n"
		      "conf:10:2 [build-id abc]|is no build-id in hexadecimal|\n"
		      "conf:9:7 mmap|has no value|\n"
		      "conf:8:1 = 3|has no name before its =|\n"
		      "conf:7:1 []|names no program|\n"
		      "conf:5:5 [db|lacks its ]|\n"
		      "conf:4:1 keep_free|is neither NAME = VALUE nor a [rule]|\n"
		      "conf:2:3 nonsense|is no variable of libhresv|\n"
		      "conf:1:9 limit|is not a size|no limit\n");
}

TEST(conf_file_below_a_rule_that_cannot_be_read_nobody_is_meant)
{
	EXPECT_EQ(parse("[db\nlimit = 1G\n[db]\nkeep-free = 2", NULL).limit, UINT64_MAX);
	EXPECT_EQ(parse("[build-id x]\nlimit = 1G", NULL).limit, UINT64_MAX);
}

TEST(conf_file_says_nothing_of_rules_for_others)
{
	parse("[other]\nlimit = much\nnonsense = 1", NULL);
	EXPECT_STR_EQ(said, "");
}

TEST(conf_file_of_bytes_that_are_no_text_is_told_and_survived)
{
	struct conf_file file;
	struct conf c;
	const char *root = tree_make();
	char path[4096], noise[20000];
	unsigned seed = 7;

	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(noise); i++) {
			static const char likely[] = "[]=#\n\\*? /ab\t";

			seed = seed * 1103515245 + 12345;
			noise[i] = seed >> 30 ? likely[(seed >> 16) % (sizeof(likely) - 1)]
					      : (char)(seed >> 16);
		}
		tree_write_bytes(root, "noise", noise, sizeof(noise));
		snprintf(path, sizeof(path), "%s/noise", root);
		REQUIRE_EQ(conf_file_read(path, &file), 0);
		REQUIRE_EQ(conf_file_select(&file, &(struct conf_program){ "/usr/bin/db", { 0 } }),
			   0);
		conf_parse_with(NULL, &file, NULL, listen, &c);
		conf_file_free(&file);
	}
}

TEST(conf_file_rule_matches_paths_base_names_and_build_ids)
{
	static const struct {
		const char *rule, *exe;
		bool matches;
	} table[] = {
		{ "/usr/bin/db", "/usr/bin/db", true },
		{ "/usr/bin/db", "/usr/bin/db2", false },
		{ "/usr/bin/db", "/usr/bin/db (deleted)", true },
		{ "db", "/usr/bin/db", true },
		{ "db", "/db/date", false },
		{ "d*", "/usr/bin/db", true },
		{ "*b", "/usr/bin/db", true },
		{ "d?", "/usr/bin/db", true },
		{ "d?", "/usr/bin/d", false },
		{ "?b", "/usr/bin/db", true },
		{ "*", "/usr/bin/db", true },
		{ "/usr/*/db", "/usr/bin/db", true },
		{ "/usr/*", "/usr/bin/db", false },
		{ "/usr/**", "/usr/bin/db", true },
		{ "/**/db", "/usr/bin/db", true },
		{ "/usr/lib/postgresql/*/bin/postgres", "/usr/lib/postgresql/15/bin/postgres", true },
		{ "/usr/lib/postgresql/*/bin/postgres", "/usr/lib/postgresql/1/5/bin/postgres", false },
		{ "/usr?bin/db", "/usr/bin/db", false },
		{ "/**/a*c/**/z", "/x/abc/abd/ac/y/z", true },
		{ "/**/a*c/z", "/x/abc/z/abd/z", false },
		{ "/*a/**b", "/xa/a/cb", true },
		{ "/*a/**b", "/xa/a/bc", false },
		{ "/a\\*b", "/a*b", true },
		{ "/a\\*b", "/axb", false },
		{ "/a\\", "/a\\", false },
		{ "build-id abcd", "/usr/bin/db", true },
		{ "build-id ABCD", NULL, true },
		{ "build-id abcdef", "/usr/bin/db", false },
		{ "build-id ab", "/usr/bin/db", false },
		{ "db", NULL, false },
		{ "*", NULL, false },
		{ "**", "", false },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		const struct conf_program program = { table[i].exe, { "\xab\xcd", 2 } };

		if (conf_rule_matches(span_of(table[i].rule), &program) != table[i].matches)
			FAIL("%s against %s", table[i].rule, table[i].exe ? table[i].exe : "none");
	}
	EXPECT_FALSE(conf_rule_matches(span_of("build-id abcd"),
				       &(struct conf_program){ "/db", { 0 } }));
}

/* What would take a backtracking matcher for ever. */
TEST(conf_file_rule_of_many_stars_ends)
{
	char rule[400] = "/", exe[4000];
	struct conf_program program = { exe, { 0 } };

	for (int i = 0; i < 60; i++)
		strcat(rule, i % 2 ? "*a" : "**a");
	strcat(rule, "b");
	memset(exe, 'a', sizeof(exe) - 1);
	exe[0] = '/';
	exe[sizeof(exe) - 1] = '\0';
	EXPECT_FALSE(conf_rule_matches(span_of(rule), &program));
}

TEST(conf_file_build_id_of_this_program_is_the_linkers)
{
	const struct span id = buildid_self();

	if (id.bytes == 0)
		SKIP("a linker that writes build-ids");
	EXPECT_GE(id.bytes, 8);
}

TEST(conf_file_notes_of_any_bytes_are_walked_within_their_bounds)
{
	struct span id;
	char notes[64];
	unsigned seed = 1;

	for (int round = 0; round < 20000; round++) {
		char *own;

		for (size_t i = 0; i < sizeof(notes); i++) {
			seed = seed * 1103515245 + 12345;
			notes[i] = (char)((seed >> 16) % 23 ? 0 : seed >> 20);
		}
		own = malloc(sizeof(notes));
		memcpy(own, notes, sizeof(notes));
		if (buildid_in_notes((struct span){ own, sizeof(notes) }, round % 2 ? 4 : 8, &id)) {
			EXPECT_GE(id.at, own);
			EXPECT_LE(id.at + id.bytes, own + sizeof(notes));
		}
		free(own);
	}
}

TEST(conf_file_that_is_missing_or_no_file_is_empty_and_says_why)
{
	const char *root = tree_make();
	struct conf_file file;
	char path[4096];

	snprintf(path, sizeof(path), "%s/none", root);
	REQUIRE_EQ(conf_file_read(path, &file), 0);
	EXPECT_EQ(file.error, -ENOENT);
	REQUIRE_EQ(mkfifo(path, 0600), 0);
	REQUIRE_EQ(conf_file_read(path, &file), 0);	/* and doesn't wait for a writer */
	EXPECT_EQ(file.error, -EINVAL);
	REQUIRE_EQ(conf_file_read(root, &file), 0);
	EXPECT_EQ(file.error, -EINVAL);
	REQUIRE_EQ(conf_file_read("/dev/null", &file), 0);
	EXPECT_EQ(file.error, 0);
	REQUIRE_EQ(conf_file_read("/dev/zero", &file), 0);
	EXPECT_EQ(file.text.bytes, 0);
}

TEST(conf_file_longer_than_a_configuration_is_not_read)
{
	const char *root = tree_make();
	const size_t bytes = CONF_FILE_MAX + 1;
	char *text = malloc(bytes), path[4096];
	struct conf_file file;

	memset(text, '#', bytes);
	tree_write_bytes(root, "long", text, bytes);
	snprintf(path, sizeof(path), "%s/long", root);
	REQUIRE_EQ(conf_file_read(path, &file), 0);
	EXPECT_EQ(file.error, -EFBIG);
	tree_write_bytes(root, "long", text, bytes - 1);
	REQUIRE_EQ(conf_file_read(path, &file), 0);
	EXPECT_EQ(file.error, 0);
	conf_file_free(&file);
	free(text);
}

TEST(conf_seal_under_at_secure_opens_no_file)
{
	const char *path = write_file("limit = 1G");
	const struct conf *c;

	faults_arm_from(1, EIO);
	REQUIRE_EQ(conf_seal(NULL, path, true, &c), 0);
	EXPECT_FALSE(faults_fired());
	EXPECT_FALSE(c->active);
}

TEST(conf_seal_takes_the_file_that_the_environment_names)
{
	const char *path = strdup(write_file("limit = 1G"));
	char named[4200];
	char *block[] = { named, NULL };
	const struct conf *c;

	snprintf(named, sizeof(named), "HUGETLB_CONF=%s", write_file("limit = 2G"));
	REQUIRE_EQ(conf_seal(NULL, path, false, &c), 0);
	EXPECT_EQ(c->limit, GIB);
	conf_unseal(c);
	REQUIRE_EQ(conf_seal(block, path, false, &c), 0);
	EXPECT_EQ(c->limit, 2 * GIB);
	conf_unseal(c);
}

TEST(conf_seal_without_a_file_costs_one_call_and_no_memory)
{
	const struct conf *c;

	faults_arm_from(2, EIO);	/* the open(2) fails by itself */
	REQUIRE_EQ(conf_seal(NULL, "/nonexistent/hresv.conf", false, &c), 0);
	EXPECT_FALSE(faults_fired());
	EXPECT_TRUE(c->active);
	conf_unseal(c);
}

TEST(conf_seal_leans_on_nothing_of_the_file_and_of_rules_knows_us)
{
	const struct conf *c;

	REQUIRE_EQ(conf_seal(NULL, write_file("[test-conf-file]\npath = /x\n[date]\nlimit=1G"), false,
			     &c), 0);
	EXPECT_STR_EQ(c->paths, "/x");
	EXPECT_EQ(c->limit, UINT64_MAX);
	conf_unseal(c);
}

TEST(conf_seal_with_a_file_leaks_nothing_whichever_call_fails)
{
	const char *path = write_file("keep-free = 1\n[test-conf-file]\npath = /x\n");
	const struct conf *c = NULL;
	int err;

	FAILS_EACH_CALL(ENOMEM, c = NULL; err = conf_seal(NULL, path, false, &c),
			{
				if (err)
					EXPECT_EQ(c, NULL);
				else
					conf_unseal(c);
			},
			{
				EXPECT_STR_EQ(c->paths, "/x");
				conf_unseal(c);
			});
}
