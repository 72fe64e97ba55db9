/* The guard at the gate. One process for each visitor, who is stdin and stdout. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VISIT_SECONDS 60

const volatile uint64_t mark = MARK;

void open_gate(void)
{
	const char *flag = getenv("FLAG");

	write(STDOUT_FILENO, flag, strlen(flag));
	write(STDOUT_FILENO, "\n", 1);
	_exit(0);
}

static void ask_name(void *name)
{
	fputs("Halt! Who goes there?\n", stdout);
	read(STDIN_FILENO, name, 256);
}

static void meet_visitor(void)
{
	struct {
		char name[64];
		uint64_t mark;
	} visitor = { .mark = mark };

	ask_name(visitor.name);
	if (visitor.mark != mark) {
		fputs("You are writing over my mark. Go away!\n", stdout);
		exit(1);
	}
	printf("The gate stays shut, %.64s\n", visitor.name);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	alarm(VISIT_SECONDS);
	meet_visitor();
	return 0;
}
