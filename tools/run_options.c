/* SPDX-License-Identifier: MIT */
/*
 * run_options.c - an option for every variable, and hugectl's; see run.h
 *
 * The variables' options come from the core's own table: --keep-free=8 sets
 * HUGETLB_KEEP_FREE. One that takes "yes" may stand alone.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/facts/conf.h"
#include "tools/run.h"

static bool misused(const char *format, const char *a, const char *b)
{
	fputs("hresv run: ", stderr);
	fprintf(stderr, format, a, b);
	fputs("\nTry 'hresv help run'.\n", stderr);
	return false;
}

/* "--keep-free" and the variable "KEEP_FREE". */
static bool is_option_of(const char *option, size_t bytes, const char *variable)
{
	size_t i;

	for (i = 0; i < bytes && variable[i]; i++)
		if ((option[i] == '-' ? '_' : toupper((unsigned char)option[i])) != variable[i])
			return false;
	return i == bytes && !variable[i];
}

static const char *variable_of(const char *option, size_t bytes)
{
	const char *name;

	for (size_t n = 0; (name = conf_variable(n)); n++)
		if (is_option_of(option, bytes, name))
			return name;
	return NULL;
}

void run_options_list(void)
{
	const char *name;

	for (size_t n = 0; (name = conf_variable(n)); n++) {
		fputs("--", stdout);
		for (; *name; name++)
			putchar(*name == '_' ? '-' : tolower((unsigned char)*name));
		puts("=");
	}
}

static const char *wrong_with(const char *variable, const char *value)
{
	struct conf_remark remark = { .variable = { variable, strlen(variable) },
				      .value = { value, strlen(value) } };

	return conf_check_setting(&remark) && *remark.used_instead ? remark.what : NULL;
}

/* It takes "yes", and not just any text. */
static bool may_stand_alone(const char *variable)
{
	return !wrong_with(variable, "yes") && wrong_with(variable, "\001");
}

static bool set(const char *option, const char *variable, const char *value)
{
	const char *wrong = wrong_with(variable, value);
	char *name;

	if (wrong) {
		fprintf(stderr, "hresv run: %s: \"%s\" %s\n", option, value, wrong);
		return false;
	}
	if (asprintf(&name, "HUGETLB_%s", variable) < 0)
		return misused("%s%s", "out of memory", "");
	setenv(name, value, 1);
	free(name);
	return true;
}

/* What hugectl calls otherwise, or we do for short. */
static const struct {
	const char *option, *variable, *value;	/* value NULL: what stands behind '=', or yes */
} others[] = {
	{ "heap", "MORECORE", NULL },	   { "thp", "MORECORE", "thp" },
	{ "share-text", "SHARE", "yes" },  { "page-size", "DEFAULT_PAGE_SIZE", NULL },
	{ "force-preload", NULL, NULL },   { "library-use-path", NULL, NULL },
};

/* --text and --data (or --bss) come to one variable. */
struct segments {
	const char *text, *data;	/* a size, "" without one; NULL: not asked for */
};

static bool set_segments(const struct segments *s)
{
	char *value;
	int bytes;

	if (!s->text && !s->data)
		return true;
	bytes = asprintf(&value, "%s%s%s%s%s%s%s", s->text ? "R" : "", s->text && *s->text ? "=" : "",
			 s->text ? s->text : "", s->text && s->data ? ":" : "", s->data ? "W" : "",
			 s->data && *s->data ? "=" : "", s->data ? s->data : "");
	if (bytes < 0)
		return misused("%s%s", "out of memory", "");

	bool fine = set("--text, --data", "ELFMAP", value);

	free(value);
	return fine;
}

struct parser {
	int argc, at;
	char **argv;
	struct run_options *to;
	struct segments segments;
	int verbose;		/* -v and -q */
};

static bool is(const char *name, size_t bytes, const char *option)
{
	return strlen(option) == bytes && memcmp(name, option, bytes) == 0;
}

/* What stands behind '=', or the next word; NULL: neither, which has been said. */
static const char *value_of(struct parser *p, const char *option, const char *equals)
{
	if (equals)
		return equals + 1;
	if (p->at + 1 < p->argc)
		return p->argv[++p->at];
	misused("%s needs a value%s", option, "");
	return NULL;
}

static bool set_pool_check(struct parser *p, const char *value)
{
	size_t bytes;

	if (!value)
		return false;
	if (text_size(span_of(value), &bytes) || bytes == 0)
		return misused("--pool-check: \"%s\" is not a size%s", value, "");
	p->to->pool_check = bytes;
	return true;
}

/* Ours, which are no variables. *ret_known says whether it is one. */
static bool own_option(struct parser *p, const char *option, const char *name, size_t bytes,
		       const char *equals, bool *ret_known)
{
	*ret_known = true;
	if (is(name, bytes, "pool-check"))
		return set_pool_check(p, value_of(p, option, equals));
	if (is(name, bytes, "library") || is(name, bytes, "library-path"))
		return (p->to->library = value_of(p, option, equals)) != NULL;
	if (is(name, bytes, "text"))
		return (p->segments.text = equals ? equals + 1 : ""), true;
	if (is(name, bytes, "data") || is(name, bytes, "bss"))
		return (p->segments.data = equals ? equals + 1 : ""), true;
	if (is(name, bytes, "only"))
		p->to->only = true;
	else if (is(name, bytes, "dry-run"))
		p->to->dry_run = true;
	else if (is(name, bytes, "no-preload"))
		p->to->no_preload = true;
	else if (is(name, bytes, "quiet"))
		p->to->quiet = true;
	else if (is(name, bytes, "variables"))
		p->to->variables = true;
	else
		*ret_known = false;
	if (*ret_known && equals)
		return misused("%s takes no value%s", option, "");
	return true;
}

static bool long_option(struct parser *p, const char *option)
{
	const char *name = option + 2, *equals = strchr(name, '=');
	const size_t bytes = equals ? (size_t)(equals - name) : strlen(name);
	const char *variable, *value = NULL;
	bool known, fine = own_option(p, option, name, bytes, equals, &known);

	if (known)
		return fine;
	variable = variable_of(name, bytes);
	for (size_t i = 0; !variable && i < sizeof(others) / sizeof(others[0]); i++) {
		if (!is(name, bytes, others[i].option))
			continue;
		if (!others[i].variable)
			return true;
		variable = others[i].variable;
		value = others[i].value;
	}
	if (!variable)
		return misused("there is no option %s%s", option, "");
	if (!value && !equals && may_stand_alone(variable))
		value = "yes";
	if (!value)
		value = value_of(p, option, equals);
	return value && set(option, variable, value);
}

static bool short_options(struct parser *p, const char *letters)
{
	for (; *letters; letters++)
		if (*letters == 'v')
			p->verbose++;
		else if (*letters == 'q')
			p->verbose--;
		else
			return misused("there is no option -%s%s", letters, "");
	return true;
}

/* hugectl's -v and -q count from 1, the default. */
static bool set_verbose(const struct parser *p)
{
	char level[16];

	if (!p->verbose)
		return true;
	snprintf(level, sizeof(level), "%d", p->verbose < -1 ? 0 : p->verbose + 1);
	return set("-v", "VERBOSE", level);
}

bool run_options_read(int argc, char **argv, struct run_options *ret_options)
{
	struct parser p = { .argc = argc, .argv = argv, .at = 1, .to = ret_options };

	*ret_options = (struct run_options){ 0 };
	for (; p.at < argc; p.at++) {
		const char *word = argv[p.at];

		if (word[0] != '-' || word[1] == '\0')
			break;
		if (strcmp(word, "--") == 0) {
			p.at++;
			break;
		}
		if (!(word[1] == '-' ? long_option(&p, word) : short_options(&p, word + 1)))
			return false;
	}
	ret_options->first = p.at;
	if (ret_options->variables)
		return true;
	if (p.at >= argc)
		return misused("which program%s%s", "?", "");
	if (ret_options->only && (!set("--only", "FALLBACK", "fail") || !set("--only", "EXPLICIT", "fail")))
		return false;
	return set_segments(&p.segments) && set_verbose(&p);
}
