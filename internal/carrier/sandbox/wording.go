package sandbox

import (
	"strconv"
	"strings"
)

// wording is what WhatsApp says in an authentication template, which nobody
// may change: the code stands as {{1}}, the minutes as %d.
type wording struct {
	code   string // the sentence with the code
	advice string // the advice not to share it, with the blank before it
	one    string // the footer for one minute, "" if many fits
	many   string // the footer for any other number
}

func (w wording) body(advise bool) string {
	if advise {
		return w.code + w.advice
	}
	return w.code
}

func (w wording) footer(minutes int) string {
	if minutes == 1 && w.one != "" {
		return w.one
	}
	return strings.Replace(w.many, "%d", strconv.Itoa(minutes), 1)
}

// wordingOf returns WhatsApp's words in a language, in English for one that is
// not known. Languages with more than two plural forms have "min.", which has
// one.
func wordingOf(language string) wording {
	switch language {
	case "ar":
		return wording{"رمز التحقق الخاص بك هو *{{1}}*.", " حفاظًا على أمانك، لا تشارك هذا الرمز.", "تنتهي صلاحية هذا الرمز خلال دقيقة واحدة.", "تنتهي صلاحية هذا الرمز خلال %d من الدقائق."}
	case "bg":
		return wording{"*{{1}}* е вашият код за потвърждение.", " За вашата сигурност не споделяйте този код.", "", "Този код изтича след %d мин."}
	case "ca":
		return wording{"*{{1}}* és el teu codi de verificació.", " Per la teva seguretat, no comparteixis aquest codi.", "Aquest codi caduca d'aquí a 1 minut.", "Aquest codi caduca d'aquí a %d minuts."}
	case "zh_CN":
		return wording{"*{{1}}* 是您的验证码。", "为安全起见，请勿分享此验证码。", "", "此验证码将在 %d 分钟后过期。"}
	case "zh_HK":
		return wording{"*{{1}}* 是你的驗證碼。", "為安全起見，請勿分享此驗證碼。", "", "此驗證碼將於 %d 分鐘後失效。"}
	case "zh_TW":
		return wording{"*{{1}}* 是您的驗證碼。", "為確保安全，請勿分享此驗證碼。", "", "此驗證碼將於 %d 分鐘後失效。"}
	case "hr":
		return wording{"*{{1}}* vaš je kôd za potvrdu.", " Radi vlastite sigurnosti nemojte dijeliti ovaj kôd.", "", "Ovaj kôd istječe za %d min."}
	case "cs":
		return wording{"*{{1}}* je váš ověřovací kód.", " Z bezpečnostních důvodů tento kód nikomu nesdělujte.", "", "Platnost tohoto kódu vyprší za %d min."}
	case "da":
		return wording{"*{{1}}* er din bekræftelseskode.", " Af hensyn til din sikkerhed må du ikke dele denne kode.", "Denne kode udløber om 1 minut.", "Denne kode udløber om %d minutter."}
	case "nl":
		return wording{"*{{1}}* is je verificatiecode.", " Deel deze code voor je eigen veiligheid niet.", "Deze code verloopt over 1 minuut.", "Deze code verloopt over %d minuten."}
	case "fi":
		return wording{"*{{1}}* on vahvistuskoodisi.", " Turvallisuutesi vuoksi älä jaa tätä koodia.", "", "Tämä koodi vanhenee %d minuutin kuluttua."}
	case "fr":
		return wording{"*{{1}}* est votre code de vérification.", " Pour votre sécurité, ne partagez pas ce code.", "Ce code expire dans 1 minute.", "Ce code expire dans %d minutes."}
	case "de":
		return wording{"*{{1}}* ist dein Verifizierungscode.", " Teile diesen Code zu deiner Sicherheit nicht.", "Dieser Code läuft in 1 Minute ab.", "Dieser Code läuft in %d Minuten ab."}
	case "el":
		return wording{"*{{1}}* είναι ο κωδικός επαλήθευσής σας.", " Για την ασφάλειά σας, μην κοινοποιήσετε αυτόν τον κωδικό.", "Αυτός ο κωδικός λήγει σε 1 λεπτό.", "Αυτός ο κωδικός λήγει σε %d λεπτά."}
	case "he":
		return wording{"*{{1}}* הוא קוד האימות שלך.", " למען אבטחתך, אין לשתף קוד זה.", "תוקף הקוד הזה יפוג בעוד דקה.", "תוקף הקוד הזה יפוג בעוד %d דקות."}
	case "hu":
		return wording{"*{{1}}* az ellenőrző kódod.", " Biztonságod érdekében ne oszd meg ezt a kódot.", "", "Ez a kód %d perc múlva lejár."}
	case "id":
		return wording{"*{{1}}* adalah kode verifikasi Anda.", " Demi keamanan, jangan bagikan kode ini.", "", "Kode ini kedaluwarsa dalam %d menit."}
	case "it":
		return wording{"*{{1}}* è il tuo codice di verifica.", " Per la tua sicurezza, non condividere questo codice.", "Questo codice scade tra 1 minuto.", "Questo codice scade tra %d minuti."}
	case "ja":
		return wording{"*{{1}}* が認証コードです。", "セキュリティのため、このコードを共有しないでください。", "", "このコードの有効期限は %d 分です。"}
	case "ko":
		return wording{"*{{1}}*이(가) 회원님의 인증 코드입니다.", " 보안을 위해 이 코드를 공유하지 마세요.", "", "이 코드는 %d분 후에 만료됩니다."}
	case "ms":
		return wording{"*{{1}}* ialah kod pengesahan anda.", " Demi keselamatan anda, jangan kongsi kod ini.", "", "Kod ini tamat tempoh dalam %d minit."}
	case "nb":
		return wording{"*{{1}}* er bekreftelseskoden din.", " For din sikkerhet bør du ikke dele denne koden.", "Denne koden utløper om 1 minutt.", "Denne koden utløper om %d minutter."}
	case "pl":
		return wording{"*{{1}}* to Twój kod weryfikacyjny.", " Ze względów bezpieczeństwa nie udostępniaj tego kodu.", "", "Ten kod wygaśnie za %d min."}
	case "pt_BR":
		return wording{"*{{1}}* é seu código de verificação.", " Para sua segurança, não compartilhe este código.", "Este código expira em 1 minuto.", "Este código expira em %d minutos."}
	case "pt_PT":
		return wording{"*{{1}}* é o teu código de verificação.", " Para tua segurança, não partilhes este código.", "Este código expira dentro de 1 minuto.", "Este código expira dentro de %d minutos."}
	case "ro":
		return wording{"*{{1}}* este codul tău de verificare.", " Pentru siguranța ta, nu distribui acest cod.", "", "Acest cod expiră în %d min."}
	case "ru":
		return wording{"*{{1}}* — ваш код подтверждения.", " В целях безопасности не сообщайте этот код никому.", "", "Срок действия этого кода истекает через %d мин."}
	case "sk":
		return wording{"*{{1}}* je váš overovací kód.", " Z bezpečnostných dôvodov tento kód nikomu neposkytujte.", "", "Platnosť tohto kódu uplynie o %d min."}
	case "sl":
		return wording{"*{{1}}* je vaša potrditvena koda.", " Zaradi varnosti te kode ne delite z drugimi.", "", "Ta koda poteče čez %d min."}
	case "es", "es_MX":
		return wording{"*{{1}}* es tu código de verificación.", " Por tu seguridad, no compartas este código.", "Este código vence en 1 minuto.", "Este código vence en %d minutos."}
	case "es_ES":
		return wording{"*{{1}}* es tu código de verificación.", " Por tu seguridad, no compartas este código.", "Este código caduca en 1 minuto.", "Este código caduca en %d minutos."}
	case "sv":
		return wording{"*{{1}}* är din verifieringskod.", " Dela inte den här koden, för din egen säkerhets skull.", "Den här koden upphör att gälla om 1 minut.", "Den här koden upphör att gälla om %d minuter."}
	case "ta":
		return wording{"*{{1}}* என்பது உங்கள் சரிபார்ப்புக் குறியீடு.", " உங்கள் பாதுகாப்பிற்காக, இந்தக் குறியீட்டைப் பகிர வேண்டாம்.", "இந்தக் குறியீடு 1 நிமிடத்தில் காலாவதியாகும்.", "இந்தக் குறியீடு %d நிமிடங்களில் காலாவதியாகும்."}
	case "te":
		return wording{"*{{1}}* మీ ధృవీకరణ కోడ్.", " మీ భద్రత కోసం, ఈ కోడ్\u200cను షేర్ చేయకండి.", "ఈ కోడ్ గడువు 1 నిమిషంలో ముగుస్తుంది.", "ఈ కోడ్ గడువు %d నిమిషాల్లో ముగుస్తుంది."}
	case "th":
		return wording{"*{{1}}* คือรหัสยืนยันของคุณ", " เพื่อความปลอดภัย โปรดอย่าแชร์รหัสนี้", "", "รหัสนี้จะหมดอายุใน %d นาที"}
	case "tr":
		return wording{"*{{1}}* doğrulama kodunuz.", " Güvenliğiniz için bu kodu paylaşmayın.", "", "Bu kodun geçerlilik süresi %d dakika sonra dolacak."}
	case "vi":
		return wording{"*{{1}}* là mã xác minh của bạn.", " Để bảo mật, vui lòng không chia sẻ mã này.", "", "Mã này hết hạn sau %d phút."}
	}
	return wording{"*{{1}}* is your verification code.", " For your security, do not share this code.", "This code expires in 1 minute.", "This code expires in %d minutes."}
}
