package oktasim

var firstNames = [...]string{
	"Maria", "James", "Wei", "Fatima", "Olu", "Anna", "José", "Priya", "Liam", "Chloé", "Ahmed", "Yuki", "Sofia", "Noah",
	"Ivan", "Aisha", "Lucas", "Emma", "Björn", "Mei", "Carlos", "Zoë", "Daniel", "Ingrid", "Mateo", "Léa", "Omar", "Grace",
	"Paweł", "Hannah", "Kenji", "Amara", "Tomás", "Julia", "Viktor", "Nadia", "Samuel", "Elif", "Hugo", "Ruth", "Dmitri",
	"Laura", "Andrés", "Keiko", "Peter", "Salma", "Erik", "Alice", "Raj", "Nora", "Felix", "Diana", "Marek", "Sara",
	"陽子", "Robin", "Ángel", "Eva", "Simon", "Leila", "Jonas", "Ana", "Thomas", "Mia",
}

var lastNames = [...]string{
	"Garcia", "Smith", "Chen", "Hassan", "Adeyemi", "Novák", "Müller", "Sharma", "O'Brien", "Dubois", "Khan", "Tanaka",
	"Rossi", "Johnson", "Petrov", "Diallo", "Silva", "Brown", "Lindqvist", "Wong", "Martínez", "Jansen", "Lee", "Hansen",
	"Fernandes", "Moreau", "Farouk", "Kim", "Kowalski", "Schmidt", "Sato", "Okafor", "Pérez", "Horváth", "Ivanova", "Aziz",
	"Cohen", "Yılmaz", "Laurent", "Andersson", "Smirnov", "Bianchi", "Gómez", "Nakamura", "Wright", "Mansour", "Berg",
	"Taylor", "Patel", "Nielsen", "Wagner", "Popescu", "Wiśniewski", "Costa", "山田", "de la Cruz", "Ortiz", "Fischer",
	"Walker", "Rahimi", "Virtanen", "Santos", "van den Berg", "Clark",
}

// asciiFirst and asciiLast are the names as a login holds them.
var asciiFirst, asciiLast = asciiNames(firstNames[:]), asciiNames(lastNames[:])

func asciiNames(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		b := make([]byte, 0, len(name))
		for _, c := range []byte(name) {
			switch {
			case c >= 'A' && c <= 'Z':
				b = append(b, c+'a'-'A')
			case c >= 'a' && c <= 'z':
				b = append(b, c)
			}
		}
		if len(b) == 0 {
			b = append(b, 'x')
		}
		out[i] = string(b)
	}
	return out
}

type city struct {
	name, state, country, countryName, zip string
	lat, lon                               string
}

var cities = [...]city{
	{"San Francisco", "California", "US", "United States", "94105", "37.7852", "-122.3874"},
	{"New York", "New York", "US", "United States", "10013", "40.7157", "-74.0000"},
	{"Toronto", "Ontario", "CA", "Canada", "M5V", "43.6567", "-79.3400"},
	{"London", "England", "GB", "United Kingdom", "EC2A", "51.5088", "-0.1260"},
	{"Paris", "Île-de-France", "FR", "France", "75002", "48.8569", "2.3514"},
	{"München", "Bayern", "DE", "Germany", "80331", "48.1374", "11.5755"},
	{"São Paulo", "São Paulo", "BR", "Brazil", "01310-100", "-23.5475", "-46.6361"},
	{"Bengaluru", "Karnataka", "IN", "India", "560001", "12.9634", "77.5855"},
	{"東京", "東京都", "JP", "Japan", "100-0001", "35.6893", "139.6899"},
	{"Sydney", "New South Wales", "AU", "Australia", "2000", "-33.8715", "151.2006"},
	{"Warszawa", "Mazowieckie", "PL", "Poland", "00-001", "52.2297", "21.0122"},
	{"Austin", "Texas", "US", "United States", "78701", "30.2711", "-97.7437"},
}

var departments = [...]string{
	"Engineering", "Sales", "Finance", "People & Culture", "Marketing", "Support", "Legal", "IT Operations", "Security",
	"Research", "Logistics", "Customer Success",
}

var titles = [...]string{
	"Software Engineer", "Account Executive", "Financial Analyst", "HR Partner", "Content Strategist", "Support Engineer",
	"Counsel", "Systems Administrator", "Security Analyst", "Scientist", "Planner", "Customer Success Manager",
	"Director", "Team Lead", "Intern", "Architect",
}
