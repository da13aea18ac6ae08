/* SPDX-License-Identifier: MIT */
/* settings.c - see settings.h */
#include "tools/settings.h"

#include <stdlib.h>

extern char **environ;

int settings_read(const struct program *program, struct settings *s)
{
	const char *named = getenv("HUGETLB_CONF");
	struct conf_program who = { 0 };
	int err;

	if (program)
		who = (struct conf_program){ program->path,
					     { (const char *)program->binary.build_id,
					       program->binary.build_id_bytes } };
	*s = (struct settings){ 0 };
	err = conf_file_read(named && *named ? named : conf_system_file(), &s->file);
	if (!err)
		err = conf_file_select(&s->file, &who);
	if (err)
		return err;
	conf_parse_with(environ, &s->file, who.exe, NULL, &s->conf);
	/* Without a program at hand nobody is excluded by name. */
	if (!who.exe && s->conf.filtered)
		s->conf.active = true;
	return 0;
}

void settings_close(struct settings *s)
{
	if (s->file.path)
		conf_file_free(&s->file);
}
